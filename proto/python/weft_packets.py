"""One raw packet by its reference: what alert.v1's raw_ref names.

    import weft_packets

    packet = weft_packets.read(alert["alert.v1"].raw_ref, folder="/data/packets")
    packet = weft_packets.read("00100001-64-66012-0123456789abcdef",
                               address="ingest:9101")

From the folder of segment files if it is there, else over HTTP from the ingest
that wrote it (`store:places` in Redis says which that is). Whatever comes is
checked against the reference's SHA-256: it is that packet, or Gone is raised.
Standard library only. The format is in libcommon/store/weft_packet.h.
"""

import hashlib
import http.client
import os
import struct
import zlib

HEAD = 64  # bytes before the packet
MOST = 64 << 20


class Gone(LookupError):
    """Not stored, removed since, or what is there is another packet."""


def text(ref):
    """SEGMENT-OFFSET-LENGTH-SHA, from a raw_ref of alert.v1 or such a text."""
    if isinstance(ref, str):
        return ref
    return "%08x-%d-%d-%s" % (ref.segment, ref.offset, ref.length,
                              bytes(ref.sha256_8 or b"").hex())


def _parts(ref):
    try:
        segment, offset, length, sha = text(ref).split("-")
        parts = int(segment, 16), int(offset), int(length), bytes.fromhex(sha)
    except ValueError:
        raise ValueError("%r is no reference to a packet" % (ref,)) from None
    if parts[0] == 0:
        raise Gone("this packet was not stored")
    if len(parts[3]) != 8 or not 0 <= parts[2] <= MOST or parts[1] < 0:
        raise ValueError("%r is no reference to a packet" % (ref,))
    return parts


def _checked(data, ref):
    _, _, length, sha = _parts(ref)
    if len(data) != length or hashlib.sha256(data).digest()[:8] != sha:
        raise Gone("%s: what is there is not this packet" % text(ref))
    return data


def _from_folder(folder, ref):
    segment, offset, length, _ = _parts(ref)
    with open(os.path.join(folder, "%08x.packets" % segment), "rb") as f:
        return _checked(os.pread(f.fileno(), length, offset), ref)


def _from_http(address, ref, timeout):
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request("GET", "/packets/" + text(ref))
        answer = connection.getresponse()
        data = answer.read(MOST + 1)
    finally:
        connection.close()
    if answer.status in (404, 409):
        raise Gone("%s: %s" % (text(ref), data.decode().strip()))
    if answer.status != 200:
        raise OSError("%s: HTTP %d: %s" % (address, answer.status,
                                           data.decode(errors="replace")))
    return _checked(data, ref)


def read(ref, folder=None, address=None, timeout=2.0):
    """The packet's bytes. Gone: it is not there (any more); OSError: the disk or
    the ingest does not answer."""
    _parts(ref)
    if folder:
        try:
            return _from_folder(folder, ref)
        except (FileNotFoundError, Gone):
            if not address:
                raise Gone("%s is not in %s" % (text(ref), folder)) from None
    if not address:
        raise ValueError("a folder or an address is needed")
    return _from_http(address, ref, timeout)


def scan(path):
    """Every record of a segment: (reference, header as a dict, packet). Ends
    where the file ends, or where no whole record follows."""
    with open(path, "rb") as f:
        head = f.read(HEAD)
        if len(head) < HEAD or head[:8] != b"WeftPkt1":
            raise ValueError("%s is no segment" % path)
        (segment,) = struct.unpack_from("<I", head, 8)
        at = HEAD
        while True:
            head = f.read(HEAD)
            if len(head) < HEAD or head[:4] != b"WPK1":
                return
            length, sha, received, stamp, position, partition, night, n = \
                struct.unpack_from("<I8sqqqiiI", head, 4)
            packet = f.read(length)
            rest = f.read(-(-(length + n) // 8) * 8 - length)
            crc = zlib.crc32(rest[:n], zlib.crc32(head[:60]))
            if crc != struct.unpack_from("<I", head, 60)[0]:
                return
            ref = "%08x-%d-%d-%s" % (segment, at + HEAD, length, sha.hex())
            yield ref, {"topic": rest[:n].decode(errors="replace"),
                        "partition": partition, "position": position,
                        "night": night, "received_us": received,
                        "stamp_us": stamp}, packet
            at += HEAD + length + len(rest)
