//  weft_input.h - where messages come from: the seam in front of the decoder.
//
//  An input gives messages in an order that is the same each time it is opened,
//  and can be opened again at a place that it gave. The ledger counts source
//  positions, so every item of every message has a stable number. Files,
//  folders and tar archives are here (weft_input_files.c); a Kafka consumer
//  (weft_kafka.h) is another implementation of the same functions. One thread
//  at a time.

#ifndef WEFT_INPUT_H_INCLUDED
#define WEFT_INPUT_H_INCLUDED

#include "weft_packet.h"

#define WEFT_INPUT_WHY 512  //  room for a reason
//  A stream's message has so many alerts at most: each has a name in the ledger.
//  Of a file's message so many refused ones have a dead letter of their own.
#define WEFT_INPUT_ITEMS_MOST 4096

//  Where an input stands; what a restart needs to go on there.
typedef struct {
    uint64_t file;   //  number of the file in the sorted list
    uint64_t entry;  //  number of the entry in an archive
    uint64_t item;   //  items of this file that lie before this place
    int64_t offset;  //  running number of the next item in the whole input
} weft_place_t;

//  Where a message of a stream stands, and in which assignment it was read.
typedef struct {
    uint32_t part;   //  number of its partition in this input, from 1; 0: none
    uint32_t epoch;  //  of that partition's assignment
    int64_t offset;
} weft_position_t;

typedef struct {
    weft_place_t place;   //  of its first item
    const char *path;     //  of the file, borrowed until the next call
    bool archived;        //  an entry of an archive
    const char *entry;    //  its name there, borrowed likewise; NULL: none
    const uint8_t *data;  //  borrowed until the next call; NULL with a `why`
    size_t size;          //
    const char *why;      //  the file cannot be read: one refused item
    //  Of a stream (`at.part` is not 0): its own numbers.
    weft_position_t at;
    int32_t partition;
    double t_kafka;  //  Kafka's time stamp, MJD TAI; 0: none
    //  Of a packet store: where it is, so it is not stored again; else NULL.
    const weft_packet_ref_t *ref;
} weft_message_t;

typedef struct weft_input weft_input_t;
struct weft_input {
    //  The next message: 1, 0 at the end, WEFT_EAGAIN if there is none yet, or
    //  an error of the class retry.
    int (*next) (weft_input_t *self, weft_message_t *message);
    //  The last message had so many items: numbers go on behind them.
    void (*advance) (weft_input_t *self, uint64_t items);
    //  Goes on at a place that a message had. WEFT_ENOENT if the input is
    //  another one now.
    int (*seek) (weft_input_t *self, const weft_place_t *place);
    //  Identity of the whole input: another list of files, or a file that was
    //  written anew, is another input.
    uint64_t (*identity) (const weft_input_t *self);
    //  A stream's name in the ledger for item `item` of a message: the topic,
    //  as one offset has one outcome there; behind the first "topic#item".
    //  Lives as long as the input; NULL without memory. NULL: no stream.
    const char *(*topic) (weft_input_t *self, uint32_t part, uint64_t item);
    //  After WEFT_EAGAIN: in how many ms there is one. NULL: it is not known.
    int (*wait_ms) (const weft_input_t *self);
    void (*destroy) (weft_input_t **self_p);
};

//  Returns new: an input of these paths, in this order; a folder stands for the
//  files under it, sorted; a tar archive, or a compressed file, for what is in it
//  (weft_bundle.h). A path that is not there is a message with a `why`. NULL with
//  a reason.
WEFT_NEW weft_input_t *
weft_input_files (char *const *paths, size_t n, char why[WEFT_INPUT_WHY]);

//  Returns new: what comes from a descriptor, to its end: tar archives and Avro
//  containers one behind the other (weft_bundle.h), or one packet. It is read
//  once: each start is an input of its own. Borrows `fd` for life. NULL with a
//  reason.
WEFT_NEW weft_input_t *weft_input_stdin (int fd, char why[WEFT_INPUT_WHY]);

//  Returns new: a night of a packet store, "packets:FOLDER?night=N&rate=X", in
//  the order and with X times the pace in which the packets came (Kafka's time
//  stamps, else when they were received). Without a night: all; without a rate:
//  as fast as they are taken. What two stores have of the same source position
//  comes once. 40 bytes of memory a packet. NULL with a reason.
#define WEFT_INPUT_PACKETS "packets:"
WEFT_NEW weft_input_t *weft_input_packets (const char *text,
                                           char why[WEFT_INPUT_WHY]);

//  Returns new: what a Kafka topic has now, for looking at it, partition by
//  partition: "kafka://HOST:PORT[,HOST:PORT...]/TOPIC[?last=N&name=value...]".
//  No group is joined and nothing is committed. `last`: so many messages before
//  the end of each partition; `name` is a property of librdkafka, a value that
//  begins with @ is in that file. Waits up to 10 s for a broker. Read once. NULL
//  with a reason.
#define WEFT_INPUT_TOPIC "kafka://"
WEFT_NEW weft_input_t *weft_input_topic (const char *url,
                                         char why[WEFT_INPUT_WHY]);

static inline void
weft_input_destroy (weft_input_t **self_p)
{
    if (*self_p)
        (*self_p)->destroy (self_p);
}

#endif
