"""A source and sink of zeros over HTTP/1.1, cheap enough not to be what is measured: `zeros.py PORT SIZE`."""

import os
import socket
import sys
import threading

BLOCK = 16 << 20


def zeros():
    """A block of zeros in memory that the kernel can send by itself."""
    memory = os.memfd_create("zeros")
    os.ftruncate(memory, BLOCK)
    return memory


def send(connection, memory, size):
    """Sends so many zeros."""
    left = size
    while left:
        left -= os.sendfile(connection.fileno(), memory, 0, min(left, BLOCK))


def discard(connection, size):
    """Receives so many bytes, which the kernel throws away."""
    buffer, left = bytearray(1 << 20), size
    while left:
        count = connection.recv_into(buffer, min(left, len(buffer)), socket.MSG_TRUNC)
        if not count:
            raise EOFError(f"{left} bytes are missing")
        left -= count


def head(stream):
    """Reads a head: its first line, and the length that it declares (0 if none). No first line: the end."""
    first, length = stream.readline().decode(), 0
    if not first:
        return first, length
    for line in iter(stream.readline, b"\r\n"):
        if not line:
            raise EOFError("no whole head")
        name, _, value = line.decode().partition(":")
        if name.lower() == "content-length":
            length = int(value)
        if name.lower() == "transfer-encoding":
            raise ValueError("the length was lost on the way")
    return first, length


def serve(connection, size):
    """Answers requests until the client goes."""
    memory = zeros()
    # Unbuffered: what follows a head must stay in the socket.
    stream = connection.makefile("rb", buffering=0)
    while True:
        first, length = head(stream)
        if not first:
            return
        discard(connection, length)
        answer = size if first.startswith("GET") else 0
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % answer)
        send(connection, memory, answer)


def main():
    """Listens, a thread for each connection, until it is ended."""
    port, size = map(int, sys.argv[1:])
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, size), daemon=True).start()


if __name__ == "__main__":
    main()
