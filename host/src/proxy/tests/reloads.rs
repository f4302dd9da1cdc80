use super::super::client::Client;
use super::super::listen::own_uid;
use super::{Running, head, say, taken, upstream};

#[test]
fn calls_of_the_configuration_before_count_against_the_limit() {
    let upstream = upstream();
    let running = Running::new(&upstream, "", "max_concurrent = 1");
    let (mut one, mut other) = (running.connect(), running.connect());
    say(&mut one, &running.head(""));
    let (mut server, _) = taken(&upstream);
    running.edit(&upstream, "", "max_concurrent = 1\ntimeout = '20s'");
    say(&mut other, &running.head(""));
    assert!(head(&mut other).starts_with("HTTP/1.1 503 "));
    say(&mut server, "HTTP/1.1 204 No Content\r\n\r\n");
    assert!(head(&mut one).starts_with("HTTP/1.1 204 "));
}

#[test]
fn a_user_who_may_not_come_any_more_does_not_stay_either() {
    let running = Running::new(&upstream(), "", "");
    let entrance = |uid| Client::new(0, Some(uid)).entrance(&running.proxy.generation());
    assert!(entrance(own_uid()).is_some());
    assert!(entrance(own_uid() + 1).is_none());
}
