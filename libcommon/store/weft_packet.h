//  weft_packet.h - one raw packet in the packet store, as bytes on disk.
//
//  The store is a folder of segment files, each a header and then records that
//  are only ever appended:
//
//      segment = header (64 bytes) *record
//      record  = header (64 bytes) packet topic zeros (to a multiple of 8)
//
//  All numbers are little-endian. A header ends with a CRC-32 of its bytes and
//  of the topic; the packet has the first 8 bytes of its SHA-256 there, which
//  is also in the reference that alert.v1 carries. So whatever a reference
//  finds is that packet, or nothing.
//
//  A segment's number is (store << 20 | count): a store is one writer, so that
//  replicas write segments of their own, also into one folder. No state,
//  any thread.

#ifndef WEFT_PACKET_H_INCLUDED
#define WEFT_PACKET_H_INCLUDED

#include "weft_contracts.h"

#define WEFT_PACKET_HEAD 64            //  bytes of either header
#define WEFT_PACKET_MOST (64u << 20)   //  bytes of one packet
#define WEFT_PACKET_TOPIC_MOST 255     //  bytes of a topic, longer are cut
#define WEFT_PACKET_STORES 4095        //  numbers of stores: 1 to this
#define WEFT_PACKET_SEGMENTS 0xfffffu  //  counts: 1 to this, then again 1
#define WEFT_PACKET_PATH 4096          //  room for the path of a segment
#define WEFT_PACKET_TEXT 64            //  room for a reference as text

//  Where a packet is. segment 0: it was not stored.
typedef struct {
    uint32_t segment;
    uint64_t offset;  //  of the packet's first byte in the segment
    uint32_t length;
    uint8_t sha256_8[8];
} weft_packet_ref_t;

//  A packet and what is kept with it.
typedef struct {
    const void *data;  //  borrowed
    size_t size;
    uint8_t sha256_8[8];
    weft_str_t topic;  //  Kafka topic, or the input's; borrowed
    int32_t partition;
    int64_t position;     //  Kafka offset, or the number of its first item
    int32_t night;        //  of its first alert, 0: not known
    int64_t received_us;  //  since 1970, UTC
    int64_t stamp_us;     //  its Kafka time stamp likewise, 0: none
} weft_packet_t;

//  A record as its header says.
typedef struct {
    weft_packet_ref_t ref;
    weft_packet_t packet;  //  data and topic point behind the header
    size_t bytes;          //  of the whole record
} weft_packet_record_t;

//  Bytes of a record.
size_t weft_packet_bytes (const weft_packet_t *packet);

//  Writes the record's header, and its topic padded with zeros (at most
//  WEFT_PACKET_TOPIC_MOST + 8 bytes); returns the bytes of the latter.
size_t weft_packet_head (const weft_packet_t *packet,
                         uint8_t head[WEFT_PACKET_HEAD],
                         uint8_t *tail);

//  Bytes of the record that such a header begins, 0 if none does. The sum is not
//  looked at; *topic says where in the record that starts which it is over, too.
size_t weft_packet_head_bytes (const uint8_t head[WEFT_PACKET_HEAD],
                               size_t *topic,
                               size_t *topic_bytes);

//  Is the header's sum right, with that topic? WEFT_EMALFORMED if not.
WEFT_CHECK int weft_packet_head_check (const uint8_t head[WEFT_PACKET_HEAD],
                                       const void *topic,
                                       size_t topic_bytes);

//  Reads the record that starts at data[0]. `at`: its place in the segment.
//  Nothing but the packet's sum is left unchecked. WEFT_ETRUNCATED: it is
//  longer than the data, record->bytes says how long, 0: not even a header;
//  WEFT_EMALFORMED.
WEFT_CHECK int weft_packet_parse (const void *data,
                                  size_t size,
                                  uint32_t segment,
                                  uint64_t at,
                                  weft_packet_record_t *record);

//  Is the packet the one that the header names? WEFT_EMALFORMED if not.
WEFT_CHECK int weft_packet_check (const weft_packet_record_t *record);

//  The segment's header.
void weft_packet_segment_head (uint32_t segment,
                               uint64_t owner,
                               int64_t created_us,
                               uint8_t head[WEFT_PACKET_HEAD]);
WEFT_CHECK int weft_packet_segment_parse (const void *data,
                                          size_t size,
                                          uint32_t *segment,
                                          uint64_t *owner);

//  "FOLDER/00100001.packets", and its number back from the name, 0: none.
void weft_packet_path (const char *folder,
                       uint32_t segment,
                       char path[WEFT_PACKET_PATH]);
uint32_t weft_packet_segment_of (const char *name);

//  "00100001-64-66012-0123456789abcdef", for addresses and command lines.
void weft_packet_text (const weft_packet_ref_t *ref,
                       char text[WEFT_PACKET_TEXT]);
WEFT_CHECK int weft_packet_of_text (const char *text, weft_packet_ref_t *ref);

//  From and to the contract. WEFT_ENOENT: the packet was not stored.
WEFT_CHECK int weft_packet_of_raw_ref (const weft_raw_ref_v1_t *raw,
                                       weft_packet_ref_t *ref);
//  Borrows the sum from `ref`.
void weft_packet_raw_ref (const weft_packet_ref_t *ref, weft_raw_ref_v1_t *raw);

#endif
