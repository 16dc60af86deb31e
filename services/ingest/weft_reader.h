//  weft_reader.h - one share of an input, item by item, decoded or refused.
//
//  An input's items are numbered as they come; share i of n reads those whose
//  number leaves i - 1 when divided by n. What is read here does not borrow
//  from the input any more. One thread.

#ifndef WEFT_READER_H_INCLUDED
#define WEFT_READER_H_INCLUDED

#include "weft_decoder.h"
#include "weft_hand.h"
#include "weft_input.h"

#define WEFT_READER_SAMPLE_MOST (1u << 20)  //  a larger refused one is not kept
#define WEFT_READER_SILENT_MOST 16384       //  items passed over in one turn
#define WEFT_READER_PATH_MOST 512           //  bytes of path#n, longer are cut

//  One position as it was read.
typedef struct {
    int64_t offset;      //  its number in the input, or in its partition
    weft_place_t place;  //  of its message
    weft_position_t at;  //  likewise; `at.part` is 0: no stream
    const char *topic;   //  of a stream: name in the ledger, as the input's
    int32_t partition;   //
    double t_kafka;      //  MJD TAI, 0: none
    int64_t key;         //  for weft_hand.h
    int rc;              //  0, or why it was refused
    char path[WEFT_READER_PATH_MOST];
    char why[WEFT_AVRO_WHY];
    bool waits;            //  its schema is on its way
    char schema[128];      //  full name of the writer's, id:N, or ""
    weft_normal_t normal;  //  if rc is 0; keeps its memory
    uint32_t item;         //  its number in the message
    uint32_t size;         //  bytes of the message
    uint8_t sha256[32];    //  of the message
    uint8_t *sample;       //  refused: the message, if small; else unused
    size_t sample_size, sample_room;
} weft_taken_t;

typedef struct weft_reader weft_reader_t;

//  Returns new: a reader of share `share` (from 1) of `shares`. Borrows all
//  three for life. NULL without memory.
WEFT_NEW weft_reader_t *weft_reader_new (weft_input_t *input,
                                         weft_decoder_t *decoder,
                                         weft_hand_t *hand,
                                         uint32_t share,
                                         uint32_t shares);

void weft_reader_destroy (weft_reader_t **self_p);

//  Goes on with the first item of this share at or behind `offset`, which lies
//  in the message at `place`.
WEFT_CHECK int weft_reader_seek (weft_reader_t *self,
                                 const weft_place_t *place,
                                 int64_t offset);

//  The next item of the share; of a file's refused ones only the first
//  WEFT_INPUT_ITEMS_MOST of a message, and one that says so: 1, 0 at the end,
//  WEFT_EAGAIN if a stream has none now, if its schema is on its way (then
//  taken->waits, and taken->why says which), or if there is more but it gives
//  others a turn (weft_reader_amid); or an error of the class retry.
WEFT_CHECK int weft_reader_next (weft_reader_t *self, weft_taken_t *taken);

//  Has weft_reader_next given up its turn amid items of which nothing is told?
//  Call it again without waiting.
bool weft_reader_amid (const weft_reader_t *self);

//  The message of the item that weft_reader_next gave last, and its SHA-256:
//  taken->sha256. Borrows until the next call.
const weft_message_t *weft_reader_message (const weft_reader_t *self);

//  No more is read for now: a message of a stream that has but one item, which
//  was the last that was read, is given back.
void weft_reader_rest (weft_reader_t *self);

//  The message of the item that weft_reader_next gave last is not read on: who
//  gave it has put it aside, and its bytes go.
void weft_reader_put_aside (weft_reader_t *self);

//  Decodes item `index` of a packet that came by another way (a replay), with a
//  decoder that has no message open. A schema that is still on its way is one
//  that cannot be read: WEFT_ESCHEMA.
void weft_taken_decode (weft_taken_t *self,
                        weft_decoder_t *decoder,
                        const void *data,
                        size_t size,
                        uint32_t index);

//  The same of one that ingest has died of: it is refused undecoded.
void weft_taken_convict (weft_taken_t *self,
                         const void *data,
                         size_t size,
                         uint32_t index);

//  Whatever it was decoded to, it is refused.
void weft_taken_refuse (weft_taken_t *self, int rc, weft_str_t why);

void weft_taken_fini (weft_taken_t *self);

#endif
