"""CURVE for a Python stage: the folder of keys that `weft keys` makes, and who
may come in (proto/link.v1.md, section 9). See weft_stage.py.

Peers without CURVE or with a broken handshake are refused by libzmq, but not
counted here; keys and stages that are refused are.
"""

import os
import re
import struct
import threading

import zmq
import zmq.utils.z85


STAGE = re.compile(rb"\*|[a-z0-9._-]{1,64}")


def is_key(text):
    try:
        return len(text) == 40 and len(zmq.utils.z85.decode(text)) == 32
    except (ValueError, KeyError, struct.error):
        return False


def lines_of(path):
    """The number and text of each line that says something."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            # '#' is a character of Z85, too: a comment has a blank before it.
            if re.match(rb"#[ \r\n]", line):
                continue
            line = line.split(b" #")[0].strip()
            if line:
                yield number, line


class Keys:
    """NAME.secret and `allow`; never changes, a reload makes another one."""

    def __init__(self, folder, name):
        path = os.path.join(folder, name + ".secret")
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise ValueError(f"{path}: others than its owner may read it, "
                                 "expected mode 0600 or 0400")
        said = list(lines_of(path))
        if len(said) != 1 or not is_key(said[0][1]):
            raise ValueError(f"{path}: expected one line with a key of 40 "
                             "characters (Z85)")
        self.secret = said[0][1]
        self.public, self.lines = zmq.curve_public(self.secret), []
        allow = os.path.join(folder, "allow")
        for number, line in lines_of(allow):
            words = line.split()
            if len(words) != 2 or not is_key(words[0]) or not STAGE.fullmatch(
                    words[1]):
                raise ValueError(
                    f'{allow}: line {number}: expected "public-key stage": 40 '
                    "characters (Z85), a blank, the stage or *")
            self.lines.append((words[0], words[1].decode()))
        if not any(key == self.public for key, _ in self.lines):
            raise ValueError(f"{path}: its public key is not in allow")

    def of(self, stage):
        """The keys that an upstream of this stage may have, newest first."""
        keys = [key for key, whose in self.lines if whose == stage] + [
            key for key, whose in self.lines if whose == "*"]
        if not keys:
            raise ValueError(f"allow has no key of a stage '{stage}'")
        return keys

    def may(self, key, stage):
        return (key, stage) in self.lines or (key, "*") in self.lines

    def client(self, sock, stage, number):
        """Before connect. The `number`-th key of that upstream, round again."""
        keys = self.of(stage)
        sock.curve_secretkey, sock.curve_publickey = self.secret, self.public
        sock.curve_serverkey = keys[number % len(keys)]

    def server(self, sock):
        """Before bind, after Gate."""
        sock.curve_server, sock.curve_secretkey = True, self.secret
        sock.zap_domain = b"weft"


class Gate(threading.Thread):
    """The ZAP handler (RFC 27): a key in `allow` may come in, and is the
    connection's User-Id. `keys` is replaced when they are read again."""

    def __init__(self, keys, refused):
        super().__init__(daemon=True)
        self.keys, self.refused = keys, refused
        self.sock = zmq.Context.instance().socket(zmq.REP)
        self.sock.linger = 0
        self.sock.bind("inproc://zeromq.zap.01")
        self.start()

    def run(self):
        while True:
            version, request, _, address, _, how, *rest = \
                self.sock.recv_multipart()
            key = zmq.utils.z85.encode(rest[0]) if how == b"CURVE" else b""
            good = any(key == known for known, _ in self.keys.lines)
            if not good:
                self.refused("key", f"{address.decode()}, {key.decode()}")
            self.sock.send_multipart(
                [version, request, b"200" if good else b"400",
                 b"OK" if good else b"not on the list", key, b""])
