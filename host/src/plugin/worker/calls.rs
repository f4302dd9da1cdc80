//! System calls by what they are for.
//!
//! A call that does harm with some arguments only is not here: it stands with its conditions in `filter`.

use libc::*;

/// What it takes to compute: memory, time, randomness, waiting, its own signals, its end.
pub(super) const COMPUTE: &[c_long] = &[
    SYS_brk,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_futex,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_rseq,
    SYS_membarrier,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_getcpu,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_getrandom,
    SYS_restart_syscall,
    SYS_getpid,
    SYS_getppid,
    SYS_gettid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getrusage,
    SYS_times,
    SYS_uname,
    SYS_exit,
    SYS_exit_group,
    #[cfg(target_arch = "x86_64")]
    SYS_time,
    #[cfg(target_arch = "riscv64")]
    SYS_riscv_hwprobe,
];

/// What it takes to talk over descriptors that are there.
pub(super) const STREAM: &[c_long] = &[
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_recvfrom,
    SYS_sendto,
    SYS_close,
    SYS_fstat,
    SYS_lseek,
    SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    SYS_poll,
];

/// What it takes to read files; which ones, Landlock says.
pub(super) const READ: &[c_long] = &[
    SYS_pread64,
    SYS_preadv,
    SYS_newfstatat,
    SYS_statx,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_statfs,
    SYS_fstatfs,
    SYS_fadvise64,
    #[cfg(target_arch = "x86_64")]
    SYS_access,
    #[cfg(target_arch = "x86_64")]
    SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    SYS_stat,
    #[cfg(target_arch = "x86_64")]
    SYS_lstat,
];

/// What it takes to use a connection of its own; `socket` stands in `filter`.
pub(super) const CONNECT: &[c_long] = &[
    SYS_connect,
    SYS_getsockname,
    SYS_getpeername,
    SYS_setsockopt,
    SYS_getsockopt,
    SYS_sendmsg,
    SYS_sendmmsg,
    SYS_recvmsg,
    SYS_recvmmsg,
    SYS_shutdown,
];

/// What it takes to wait for several things, and to wake who waits.
pub(super) const EVENTS: &[c_long] = &[
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_eventfd2,
    SYS_pipe2,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_pselect6,
    SYS_dup,
    SYS_dup3,
    #[cfg(target_arch = "x86_64")]
    SYS_dup2,
    #[cfg(target_arch = "x86_64")]
    SYS_select,
    #[cfg(target_arch = "x86_64")]
    SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    SYS_epoll_create,
    #[cfg(target_arch = "x86_64")]
    SYS_pipe,
    #[cfg(target_arch = "x86_64")]
    SYS_eventfd,
];

/// What an interpreter, and the programs that a script calls, want besides.
pub(super) const PROGRAM: &[c_long] = &[
    SYS_execve,
    SYS_wait4,
    SYS_waitid,
    SYS_chdir,
    SYS_fchdir,
    SYS_getcwd,
    SYS_umask,
    SYS_ftruncate,
    SYS_pwrite64,
    SYS_close_range,
    SYS_copy_file_range,
    SYS_sendfile,
    SYS_splice,
    SYS_tee,
    SYS_flock,
    SYS_fsync,
    SYS_fdatasync,
    SYS_getpgid,
    SYS_getsid,
    SYS_getgroups,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getpriority,
    SYS_capget,
    SYS_sysinfo,
    SYS_sched_getparam,
    SYS_sched_getscheduler,
    SYS_sched_get_priority_max,
    SYS_sched_get_priority_min,
    SYS_set_tid_address,
    SYS_rt_sigpending,
    SYS_rt_sigsuspend,
    SYS_rt_sigtimedwait,
    SYS_setitimer,
    SYS_getitimer,
    SYS_timer_create,
    SYS_timer_settime,
    SYS_timer_gettime,
    SYS_timer_delete,
    SYS_timer_getoverrun,
    SYS_timerfd_gettime,
    SYS_signalfd4,
    SYS_mincore,
    SYS_msync,
    SYS_mlock,
    SYS_munlock,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_getsockname,
    SYS_getpeername,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_shutdown,
    SYS_inotify_init1,
    SYS_openat2,
    #[cfg(target_arch = "x86_64")]
    SYS_arch_prctl,
    #[cfg(target_arch = "x86_64")]
    SYS_open,
    #[cfg(target_arch = "x86_64")]
    SYS_fork,
    #[cfg(target_arch = "x86_64")]
    SYS_vfork,
    #[cfg(target_arch = "x86_64")]
    SYS_alarm,
    #[cfg(target_arch = "x86_64")]
    SYS_pause,
    #[cfg(target_arch = "x86_64")]
    SYS_getpgrp,
    #[cfg(target_arch = "x86_64")]
    SYS_getdents,
];
