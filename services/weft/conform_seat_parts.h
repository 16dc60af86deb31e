//  conform_seat_parts.h - inside conform_seat.c and conform_judge.c only. One
//  thread.

#ifndef WEFT_CONFORM_SEAT_PARTS_H_INCLUDED
#define WEFT_CONFORM_SEAT_PARTS_H_INCLUDED

#include "conform_seat.h"
#include "weft_router.h"

typedef struct {
    weft_alert_t *alert;
    int64_t id;
    conform_kind_t kind;
    bool suspect;
    bool ended;
} conform_item_t;

struct conform_seat {
    conform_t *top;
    weft_router_t *router;
    conform_seat_info_t info;
    bool answer, mute, greeted, deaf;
    uint64_t peer, nonce, boot;
    uint64_t session, wrong_session, sessions;
    uint32_t version, echoed;
    uint32_t before;  //  the limit before, while the newest is unechoed
    uint64_t limit_bytes;
    uint64_t seq, done;
    uint32_t unsettled;
    int64_t heard_ms, welcomed_ms, next_beat, pause_until;
    int64_t first_id, next_id;
    uint8_t outcomes[CONFORM_SEQS];  //  1 + outcome, by id
    conform_item_t sent[CONFORM_SEQS];
    conform_item_t queue[CONFORM_SEQS];
    size_t n_queue;
};

int conform_seat_say (conform_seat_t *self,
                      weft_link_frame_t *frame,
                      const weft_alert_t *alert);
void conform_seat_welcome (conform_seat_t *self);

//  conform_judge.c
void conform_seat_read (conform_seat_t *self);
void conform_seat_silence (conform_seat_t *self);

#endif
