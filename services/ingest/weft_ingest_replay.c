//  weft_ingest_replay.c - packets of dead letters that were put back.
//
//  They are in hand while they are worked on, as what is read for the first time
//  is: else one that crashes ingest would be taken by each replica in turn, for
//  ever.

#include "weft_ingest_parts.h"

#include "weft_hash.h"

//  The number behind # of path#n.
static uint32_t
index_of (weft_str_t path)
{
    uint32_t index = 0;
    for (uint32_t i = path.n; i-- > 0;)
        if (path.p[i] == '#') {
            for (i++; i < path.n && path.p[i] >= '0' && path.p[i] <= '9' &&
                      index < 100000000;
                 i++)
                index = 10 * index + (uint32_t)(path.p[i] - '0');
            return index;
        }
    return 0;
}

void
weft_ingest_decode_replay (ingest_t *self,
                           slot_t *slot,
                           const weft_dead_v1_t *dead)
{
    weft_taken_t *taken = &slot->taken;
    uint32_t item =
        WEFT_HAS (dead_v1, dead, item) ? dead->item : index_of (dead->path);
    taken->key =
        (int64_t)(weft_hash (slot->replay_key, strlen (slot->replay_key)) >> 1);
    if (weft_hand_take (self->hand, taken->key)) {
        weft_taken_decode (taken, self->replay_decoder, dead->packet.p,
                           dead->packet.n, item);
        weft_hand_lay_down (self->hand);
    } else {
        weft_taken_convict (taken, dead->packet.p, dead->packet.n, item);
    }
    //  One that stands for all that follows it in its message is not one alert.
    if (dead->code == WEFT_ETOOBIG && taken->item >= WEFT_INPUT_ITEMS_MOST)
        weft_taken_refuse (taken, WEFT_ETOOBIG, dead->reason);
}

int
weft_ingest_end_replay (ingest_t *self, const slot_t *slot)
{
    int rc = weft_replay_done (self->replay, slot->replay_key, false);
    //  Who puts it back once more has a reason to: it is tried anew.
    if (!rc && slot->taken.rc == WEFT_ECRASHED)
        weft_hand_forget (self->hand, slot->taken.key);
    return rc;
}
