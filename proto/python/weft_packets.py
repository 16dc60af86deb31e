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
import re
import struct
import zlib

HEAD = 64  # bytes before the packet
MOST = 64 << 20
TOPIC_MOST = 255
STEP = 8  # records begin at multiples of it
MAGIC = b"WPK1"
CHUNK = 1 << 20
VAIN_MOST = 512 << 20


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


def _record(f, at, segment):
    """The record at `at`: (reference, header as a dict, packet) and its bytes;
    None: there is none. The packet's own sum is not looked at."""
    f.seek(at)
    head = f.read(HEAD)
    if len(head) < HEAD or head[:4] != MAGIC:
        return None
    length, sha, received, stamp, position, partition, night, n = \
        struct.unpack_from("<I8sqqqiiI", head, 4)
    if length > MOST or n > TOPIC_MOST:
        return None
    rest = -(-(length + n) // STEP) * STEP - length
    #  The topic first: its sum says whether a packet is there to be read.
    f.seek(at + HEAD + length)
    topic = f.read(rest)
    crc = zlib.crc32(topic[:n], zlib.crc32(head[:60]))
    if len(topic) < rest or crc != struct.unpack_from("<I", head, 60)[0]:
        return None
    f.seek(at + HEAD)
    packet = f.read(length)
    ref = "%08x-%d-%d-%s" % (segment, at + HEAD, length, sha.hex())
    return (ref, {"topic": topic[:n].decode(errors="replace"),
                  "partition": partition, "position": position,
                  "night": night, "received_us": received,
                  "stamp_us": stamp}, packet), HEAD + length + rest


def _next_whole(f, at, segment):
    """Where the next record begins at or behind `at` that is whole, its packet,
    too; None: nowhere. In doubt, as after VAIN_MOST bytes of packets that were
    not what their headers named, a header is believed."""
    vain = 0
    while True:
        f.seek(at)
        data = f.read(CHUNK)
        if len(data) < HEAD:
            return None
        found = data.find(MAGIC)
        while 0 <= found <= len(data) - HEAD:
            record = None if found % STEP else _record(f, at + found, segment)
            if record:
                sha = hashlib.sha256(record[0][2]).digest()[:8].hex()
                if vain >= VAIN_MOST or record[0][0].endswith(sha):
                    return at + found
                vain += record[1]
            found = data.find(MAGIC, found + 1)
        at += (len(data) - HEAD) // STEP * STEP + STEP


def scan(path):
    """Every record of a segment: (reference, header as a dict, packet). What a
    disk has damaged is passed over; ends where no whole record follows."""
    with open(path, "rb") as f:
        head = f.read(HEAD)
        if len(head) < HEAD:
            raise ValueError("%s is no segment" % path)
        (segment,) = struct.unpack_from("<I", head, 8)
        at = HEAD
        if head[:8] != b"WeftPkt1" or \
                zlib.crc32(head[:60]) != struct.unpack_from("<I", head, 60)[0]:
            #  Damaged, or none: its name says.
            name = re.fullmatch("([0-9a-f]{8})[.]packets", os.path.basename(path))
            if not name:
                raise ValueError("%s is no segment" % path)
            segment, at = int(name[1], 16), 0
        while at is not None:
            record = _record(f, at, segment)
            if record:
                yield record[0]
                at += record[1]
            else:
                at = _next_whole(f, at, segment)
