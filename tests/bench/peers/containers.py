"""Containers of one record, taken apart by hand."""


def take_long(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at


def open_container(data):
    """Schema and datum of a container of one record without compression."""
    at, meta = 4, {}
    while True:
        n, at = take_long(data, at)
        if n == 0:
            break
        for _ in range(n):
            size, at = take_long(data, at)
            key, at = data[at:at + size], at + size
            size, at = take_long(data, at)
            meta[key], at = data[at:at + size], at + size
    n, at = take_long(data, at + 16)
    size, at = take_long(data, at)
    if n != 1 or meta.get(b"avro.codec", b"null") != b"null":
        raise ValueError("not one plain record")
    return meta[b"avro.schema"].decode(), data[at:at + size]
