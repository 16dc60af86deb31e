//  weft_slot.h - which of a Redis Cluster's 16,384 slots a key is in, and what
//  a node says when the key is not with it.
//
//  Pure functions on bytes, for weft_cluster.h. The rules are those of the
//  Redis Cluster specification (redis.io/docs/reference/cluster-spec): slot =
//  CRC16 of the key mod 16,384, and only of what stands between the first "{"
//  and the next "}" if that is not empty. CRC16 is the one of XMODEM
//  (polynomial 0x1021, begun with 0, not reflected). Any thread.

#ifndef WEFT_SLOT_H_INCLUDED
#define WEFT_SLOT_H_INCLUDED

#include "weft_base.h"

#define WEFT_SLOTS 16384
#define WEFT_SLOT_NONE (-1)
#define WEFT_SLOT_HOST_MOST 256  //  bytes of a host's name, with its end

uint16_t weft_slot_crc16 (const void *data, size_t size);

//  Slot of a key, 0 to 16383.
int weft_slot_of (const void *key, size_t size);

//  The first command of a run of bytes as they go over the wire (an array of
//  bulk strings).
typedef struct {
    size_t size;  //  bytes of the command
    int slot;     //  of its first key, WEFT_SLOT_NONE: it has none
} weft_slot_command_t;

//  Keys are where the commands of this folder have them: after the count of
//  keys in EVAL and EVALSHA, else the first argument. WEFT_EMALFORMED if the
//  bytes are no whole command.
WEFT_CHECK int weft_slot_command (const uint8_t *bytes,
                                  size_t size,
                                  weft_slot_command_t *command);

typedef enum {
    WEFT_REDIRECT_NONE,   //  an error that is none of these
    WEFT_REDIRECT_MOVED,  //  the slot is with another master
    WEFT_REDIRECT_ASK,    //  this key only, for this once: ask another master
    WEFT_REDIRECT_AGAIN,  //  its keys are just being moved
    WEFT_REDIRECT_DOWN,   //  the cluster has no master for it at the moment
} weft_redirect_kind_t;

typedef struct {
    weft_redirect_kind_t kind;
    int slot;                        //  with MOVED and ASK
    int port;                        //
    char host[WEFT_SLOT_HOST_MOST];  //  "": the host that was asked
} weft_redirect_t;

//  Reads an error reply. A MOVED or ASK that cannot be read is NONE.
weft_redirect_t weft_redirect_read (const char *error);

//  Takes "host:port" apart, IPv6 with or without brackets. WEFT_ECONFIG.
WEFT_CHECK int
weft_slot_place (const char *text, char host[WEFT_SLOT_HOST_MOST], int *port);

#endif
