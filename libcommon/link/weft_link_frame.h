//  weft_link_frame.h - the link header, byte by byte.
//
//  The first part of every message between two stages. Two fixed layouts, one
//  per direction (the type tells which), each followed by a body that the type
//  fixes; proto/link.v1.md is the text, proto/vectors/link.v1.* are the bytes.
//  The decoder is bounded, allocates nothing, and accepts exactly what the
//  encoder writes. No state; any thread.

#ifndef WEFT_LINK_FRAME_H_INCLUDED
#define WEFT_LINK_FRAME_H_INCLUDED

#include "weft_base.h"

//  A worker's types are below 0x80, an upstream's above.
#define WEFT_LINK_TYPES(X)                                                     \
    X (HELLO, 0x01)                                                            \
    X (SETTLE, 0x02)                                                           \
    X (RETRY, 0x03)                                                            \
    X (REJECT, 0x04)                                                           \
    X (BEAT, 0x05)                                                             \
    X (DRAIN, 0x06)                                                            \
    X (BYE, 0x07)                                                              \
    X (WELCOME, 0x81)                                                          \
    X (REFUSE, 0x82)                                                           \
    X (ALERT, 0x83)                                                            \
    X (UP_BEAT, 0x84)                                                          \
    X (RESET, 0x85)                                                            \
    X (UP_BYE, 0x86)

typedef enum {
#define X(name, code) WEFT_LINK_##name = code,
    WEFT_LINK_TYPES (X)
#undef X
} weft_link_type_t;

//  What SETTLE says of a run of alerts; the larger one is the worse one.
typedef enum {
    WEFT_OUTCOME_SETTLED = 0,
    WEFT_OUTCOME_DEAD = 1,
} weft_outcome_t;

//  Why an upstream refuses a HELLO.
typedef enum {
    WEFT_REFUSE_STAGE = 1,     //  not one of its outputs
    WEFT_REFUSE_CONTRACT = 2,  //  a contract version that it does not write
    WEFT_REFUSE_KEY = 3,       //  not on its list of keys
    WEFT_REFUSE_FULL = 4,      //  it has as many workers as it may have
} weft_refuse_t;

enum {
    WEFT_LINK_VERSION = 1,
    WEFT_LINK_WORKER_SIZE = 40,    //  fixed part, from a worker
    WEFT_LINK_UPSTREAM_SIZE = 32,  //  fixed part, from an upstream
    WEFT_LINK_RUN_SIZE = 16,       //  one run of SETTLE or RETRY
    WEFT_LINK_RUNS_MAX = 512,      //  runs in one frame
    WEFT_LINK_NAME_MAX = 64,       //  bytes of a stage's or contract's name
    WEFT_LINK_CONTRACTS_MAX = 16,  //  contracts in one HELLO
    WEFT_LINK_REASON_MAX = 240,    //  bytes of a reason
    //  No valid header is larger: runs are the longest body.
    WEFT_LINK_HEADER_MAX =
        WEFT_LINK_WORKER_SIZE + 2 + WEFT_LINK_RUNS_MAX * WEFT_LINK_RUN_SIZE,
};

//  Text inside a frame: not terminated, borrowed from the bytes.
typedef struct {
    const char *data;
    size_t size;
} weft_link_text_t;

//  `count` sequence numbers from `first`, all with the same code: an outcome
//  in SETTLE, 0 in RETRY.
typedef struct {
    uint64_t first;
    uint32_t count;  //  never 0
    uint8_t code;
} weft_link_run_t;

//  One decoded frame. Only the fields of its type are meaningful, the others
//  are 0. Texts and runs borrow from the decoded bytes.
typedef struct {
    weft_link_type_t type;
    uint64_t session;  //  0 in HELLO and REFUSE; the new one in WELCOME

    //  Every frame of a worker.
    uint64_t done;           //  highest sequence number whose function returned
    uint32_t limit;          //  alerts that this session may have unsettled
    uint32_t limit_version;  //  grows by one with each change of a limit
    uint64_t limit_bytes;    //  bytes that this session may have unsettled

    //  Every frame of an upstream.
    uint32_t echo;  //  the limit_version that it has read

    //  ALERT (seq also in REJECT).
    uint64_t seq;      //  from 1 in each session; a redelivery gets a new one
    uint16_t attempt;  //  deliveries before this one, at most 65535
    bool suspect;      //  it was in the hands of a worker that died

    //  HELLO, WELCOME, REFUSE.
    uint64_t nonce;     //  chosen by HELLO, repeated in the answer
    uint64_t boot;      //  random, one per life of a process
    uint64_t hash;      //  HELLO: of build, model and configuration
    uint32_t largest;   //  largest frame in bytes that this side can receive
    uint32_t beat_ms;   //  interval of its beats
    uint32_t stall_ms;  //  HELLO: silence that means death, while it works
    weft_link_text_t stage;
    uint32_t contract_count;
    weft_link_text_t contracts[WEFT_LINK_CONTRACTS_MAX];

    //  SETTLE and RETRY: `run_count` encoded runs.
    uint32_t run_count;
    const uint8_t *runs;

    //  REJECT (a negative WEFT_E... code) and REFUSE (weft_refuse_t).
    int32_t code;
    weft_link_text_t reason;
} weft_link_frame_t;

//  Decodes `size` bytes at `data`, which the frame's texts and runs borrow.
//  WEFT_EVERSION for another version of the link; WEFT_ETRUNCATED,
//  WEFT_ETOOBIG, WEFT_ERANGE or WEFT_EMALFORMED for everything else that is
//  not exactly one valid header.
WEFT_CHECK int
weft_link_decode (weft_link_frame_t *frame, const void *data, size_t size);

//  Encodes the frame into `out`; returns its size, or WEFT_ETOOBIG if it
//  needs more than `room`, or WEFT_ERANGE for a field that no header may have.
WEFT_CHECK int
weft_link_encode (const weft_link_frame_t *frame, void *out, size_t room);

//  The run with this index (< run_count) of a decoded SETTLE or RETRY.
weft_link_run_t weft_link_run (const weft_link_frame_t *frame, uint32_t index);

//  Writes one run as it stands in a frame.
void weft_link_put_run (uint8_t out[WEFT_LINK_RUN_SIZE],
                        const weft_link_run_t *run);

//  Is this frame one that a worker sends?
static inline bool
weft_link_from_worker (weft_link_type_t type)
{
    return type < 0x80;
}

//  "HELLO", ... or "?"; static.
const char *weft_link_type_name (weft_link_type_t type);

//  A terminated string as text of a frame; borrows it.
static inline weft_link_text_t
weft_link_text (const char *text)
{
    return (weft_link_text_t){ text, strlen (text) };
}

#endif
