//  weft_packet.c - records and references, to bytes and back.

#include "weft_packet.h"

#include <zlib.h>

#include "weft_hash.h"

#define RECORD_MAGIC 0x314b5057u                     //  "WPK1"
#define SEGMENT_MAGIC UINT64_C (0x31746b5074666557)  //  "WeftPkt1"
#define CRC_AT 60

//  Places in a record's header.
enum {
    AT_MAGIC = 0,
    AT_LENGTH = 4,
    AT_SHA = 8,
    AT_RECEIVED = 16,
    AT_STAMP = 24,
    AT_POSITION = 32,
    AT_PARTITION = 40,
    AT_NIGHT = 44,
    AT_TOPIC = 48,  //  its length; 52 to 60 are zeros
};

//  And in a segment's.
enum { SEGMENT_AT = 8, OWNER_AT = 16, CREATED_AT = 24 };

static uint32_t
topic_size (const weft_packet_t *packet)
{
    return WEFT_MIN (packet->topic.n, (uint32_t)WEFT_PACKET_TOPIC_MOST);
}

static size_t
padded (size_t size)
{
    return (size + 7) / 8 * 8;
}

size_t
weft_packet_bytes (const weft_packet_t *packet)
{
    return WEFT_PACKET_HEAD + padded (packet->size + topic_size (packet));
}

static uint32_t
sum (const uint8_t *head, const void *topic, size_t size)
{
    uLong crc = crc32 (crc32 (0, NULL, 0), head, CRC_AT);
    return (uint32_t)(size ? crc32 (crc, topic, (uInt)size) : crc);
}

size_t
weft_packet_head (const weft_packet_t *packet,
                  uint8_t head[WEFT_PACKET_HEAD],
                  uint8_t *tail)
{
    uint32_t topic = topic_size (packet);
    size_t rest = padded (packet->size + topic) - packet->size;
    memset (head, 0, WEFT_PACKET_HEAD);
    memset (tail, 0, rest);
    if (topic)
        memcpy (tail, packet->topic.p, topic);
    weft_put_u32 (head + AT_MAGIC, RECORD_MAGIC);
    weft_put_u32 (head + AT_LENGTH, (uint32_t)packet->size);
    memcpy (head + AT_SHA, packet->sha256_8, 8);
    weft_put_u64 (head + AT_RECEIVED, (uint64_t)packet->received_us);
    weft_put_u64 (head + AT_STAMP, (uint64_t)packet->stamp_us);
    weft_put_u64 (head + AT_POSITION, (uint64_t)packet->position);
    weft_put_u32 (head + AT_PARTITION, (uint32_t)packet->partition);
    weft_put_u32 (head + AT_NIGHT, (uint32_t)packet->night);
    weft_put_u32 (head + AT_TOPIC, topic);
    weft_put_u32 (head + CRC_AT, sum (head, tail, topic));
    return rest;
}

static void
read_fields (const uint8_t *head, weft_packet_t *packet)
{
    memcpy (packet->sha256_8, head + AT_SHA, 8);
    packet->received_us = (int64_t)weft_get_u64 (head + AT_RECEIVED);
    packet->stamp_us = (int64_t)weft_get_u64 (head + AT_STAMP);
    packet->position = (int64_t)weft_get_u64 (head + AT_POSITION);
    packet->partition = (int32_t)weft_get_u32 (head + AT_PARTITION);
    packet->night = (int32_t)weft_get_u32 (head + AT_NIGHT);
}

size_t
weft_packet_head_bytes (const uint8_t head[WEFT_PACKET_HEAD],
                        size_t *topic,
                        size_t *topic_bytes)
{
    uint32_t length = weft_get_u32 (head + AT_LENGTH);
    *topic_bytes = weft_get_u32 (head + AT_TOPIC);
    *topic = WEFT_PACKET_HEAD + (size_t)length;
    if (weft_get_u32 (head) != RECORD_MAGIC || length > WEFT_PACKET_MOST ||
        *topic_bytes > WEFT_PACKET_TOPIC_MOST)
        return 0;
    return WEFT_PACKET_HEAD + padded (length + *topic_bytes);
}

int
weft_packet_head_check (const uint8_t head[WEFT_PACKET_HEAD],
                        const void *topic,
                        size_t topic_bytes)
{
    return sum (head, topic, topic_bytes) == weft_get_u32 (head + CRC_AT)
               ? 0
               : WEFT_EMALFORMED;
}

int
weft_packet_parse (const void *data,
                   size_t size,
                   uint32_t segment,
                   uint64_t at,
                   weft_packet_record_t *record)
{
    const uint8_t *head = data;
    memset (record, 0, sizeof (*record));
    if (size < WEFT_PACKET_HEAD)
        return WEFT_ETRUNCATED;
    size_t topic, topic_bytes;
    record->bytes = weft_packet_head_bytes (head, &topic, &topic_bytes);
    if (!record->bytes)
        return WEFT_EMALFORMED;
    if (record->bytes > size)
        return WEFT_ETRUNCATED;
    if (weft_packet_head_check (head, head + topic, topic_bytes))
        return WEFT_EMALFORMED;
    read_fields (head, &record->packet);
    record->packet.data = head + WEFT_PACKET_HEAD;
    record->packet.size = topic - WEFT_PACKET_HEAD;
    record->packet.topic =
        (weft_str_t){ (const char *)head + topic, (uint32_t)topic_bytes };
    record->ref =
        (weft_packet_ref_t){ .segment = segment,
                             .offset = at + WEFT_PACKET_HEAD,
                             .length = (uint32_t)record->packet.size };
    memcpy (record->ref.sha256_8, head + AT_SHA, 8);
    return 0;
}

int
weft_packet_check (const weft_packet_record_t *record)
{
    uint8_t sha256[32];
    weft_sha256 (record->packet.data, record->packet.size, sha256);
    return memcmp (sha256, record->packet.sha256_8, 8) ? WEFT_EMALFORMED : 0;
}

void
weft_packet_segment_head (uint32_t segment,
                          uint64_t owner,
                          int64_t created_us,
                          uint8_t head[WEFT_PACKET_HEAD])
{
    memset (head, 0, WEFT_PACKET_HEAD);
    weft_put_u64 (head, SEGMENT_MAGIC);
    weft_put_u32 (head + SEGMENT_AT, segment);
    weft_put_u64 (head + OWNER_AT, owner);
    weft_put_u64 (head + CREATED_AT, (uint64_t)created_us);
    weft_put_u32 (head + CRC_AT, sum (head, NULL, 0));
}

int
weft_packet_segment_parse (const void *data,
                           size_t size,
                           uint32_t *segment,
                           uint64_t *owner)
{
    const uint8_t *head = data;
    if (size < WEFT_PACKET_HEAD)
        return WEFT_ETRUNCATED;
    if (weft_get_u64 (head) != SEGMENT_MAGIC ||
        sum (head, NULL, 0) != weft_get_u32 (head + CRC_AT))
        return WEFT_EMALFORMED;
    *segment = weft_get_u32 (head + SEGMENT_AT);
    *owner = weft_get_u64 (head + OWNER_AT);
    return 0;
}

void
weft_packet_path (const char *folder,
                  uint32_t segment,
                  char path[WEFT_PACKET_PATH])
{
    snprintf (path, WEFT_PACKET_PATH, "%.4000s/%08x.packets", folder,
              (unsigned)segment);
}

uint32_t
weft_packet_segment_of (const char *name)
{
    char *end;
    if (strlen (name) != 16 || strspn (name, "0123456789abcdef") != 8)
        return 0;
    unsigned long segment = strtoul (name, &end, 16);
    return strcmp (end, ".packets") == 0 ? (uint32_t)segment : 0;
}

void
weft_packet_text (const weft_packet_ref_t *ref, char text[WEFT_PACKET_TEXT])
{
    char hex[17];
    weft_hex (ref->sha256_8, 8, hex);
    snprintf (text, WEFT_PACKET_TEXT, "%08x-%llu-%u-%s", (unsigned)ref->segment,
              (unsigned long long)ref->offset, (unsigned)ref->length, hex);
}

int
weft_packet_of_text (const char *text, weft_packet_ref_t *ref)
{
    unsigned segment, length;
    unsigned long long offset, sum8;
    char again[WEFT_PACKET_TEXT];
    if (sscanf (text, "%8x-%20llu-%10u-%16llx", &segment, &offset, &length,
                &sum8) != 4 ||
        !segment || length > WEFT_PACKET_MOST)
        return WEFT_EMALFORMED;
    *ref = (weft_packet_ref_t){ .segment = segment,
                                .offset = offset,
                                .length = length };
    for (int i = 0; i < 8; i++)
        ref->sha256_8[i] = (uint8_t)(sum8 >> (56 - 8 * i));
    //  One spelling only: it is part of addresses.
    weft_packet_text (ref, again);
    return strcmp (text, again) ? WEFT_EMALFORMED : 0;
}

int
weft_packet_of_raw_ref (const weft_raw_ref_v1_t *raw, weft_packet_ref_t *ref)
{
    *ref = (weft_packet_ref_t){ .segment = raw->segment,
                                .offset = raw->offset,
                                .length = raw->length };
    if (!raw->segment)
        return WEFT_ENOENT;
    if (raw->sha256_8.n != 8 || raw->length > WEFT_PACKET_MOST)
        return WEFT_EMALFORMED;
    memcpy (ref->sha256_8, raw->sha256_8.p, 8);
    return 0;
}

void
weft_packet_raw_ref (const weft_packet_ref_t *ref, weft_raw_ref_v1_t *raw)
{
    weft_bin_t sum8 = { ref->sha256_8, sizeof (ref->sha256_8) };
    WEFT_SET (raw_ref_v1, raw, segment, ref->segment);
    WEFT_SET (raw_ref_v1, raw, offset, ref->offset);
    WEFT_SET (raw_ref_v1, raw, length, ref->length);
    WEFT_SET (raw_ref_v1, raw, sha256_8, sum8);
}
