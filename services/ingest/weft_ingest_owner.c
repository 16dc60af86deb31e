//  weft_ingest_owner.c - sources that changed their object, and those that the
//  survey has taken back.
//
//  For the rows of a batch that are new to their objects: each is claimed for
//  its object. One that was another's leaves a tombstone there; one that is
//  another's by a later version gets a tombstone here. Effects first, then the
//  claim is closed, then our own history is written: after a death the rows are
//  new again, and what was left undone is done.

#include "weft_ingest_parts.h"

#include <math.h>

#include "weft_events.h"
#include "weft_log.h"
#include "weft_tombstone.h"

#define CLAIMS_MOST 16384  //  of one batch; sources beyond are not looked at
#define MOVES_A_TURN 64    //  sources that change their object, of one turn

static bool
is_news (const weft_curve_t *curve, const weft_point_t *row)
{
    const weft_point_t *there = weft_curve_find (curve, row->kind, row->key);
    return row->kind == WEFT_KIND_D &&
           (!there || weft_point_better (row, there));
}

static int
add_claim (ingest_t *self, size_t slot, size_t row)
{
    if (self->n_claims == self->room_claims) {
        size_t room = self->room_claims ? 2 * self->room_claims : 256;
        claim_t *moved = realloc (self->claims, room * sizeof (*moved));
        if (!moved)
            return WEFT_ENOMEM;
        self->claims = moved;
        self->room_claims = room;
    }
    self->claims[self->n_claims++] = (claim_t){ .slot = slot, .row = row };
    return 0;
}

//  Survey-wide ids that move between objects: LSST's.
static bool
may_move (const slot_t *slot)
{
    const weft_alert_v1_t *alert = &slot->taken.normal.alert;
    return weft_ingest_joins (slot) && alert->okind != 2 &&
           alert->survey.n == 4 && !memcmp (alert->survey.p, "lsst", 4);
}

static int
gather (ingest_t *self)
{
    self->n_claims = 0;
    for (size_t i = 0; i < self->n_slots; i++) {
        const slot_t *slot = &self->slots[i];
        const weft_normal_t *normal = &slot->taken.normal;
        if (!may_move (slot))
            continue;
        const weft_curve_t *curve =
            weft_objects_curve (self->objects, slot->object);
        for (size_t k = 0; k < normal->n_rows; k++)
            if (self->n_claims < CLAIMS_MOST &&
                is_news (curve, &normal->rows[k])) {
                int rc = add_claim (self, i, k);
                if (rc)
                    return rc;
            }
    }
    return 0;
}

static const weft_point_t *
row_of (const ingest_t *self, const claim_t *claim)
{
    return &self->slots[claim->slot].taken.normal.rows[claim->row];
}

static void
fill (const ingest_t *self, const claim_t *claim, weft_owner_t *owner)
{
    const weft_point_t *row = row_of (self, claim);
    const weft_alert_v1_t *alert = &self->slots[claim->slot].taken.normal.alert;
    *owner = (weft_owner_t){ .survey = alert->survey,
                             .night = (int32_t)floor (row->mjd),
                             .source = row->key,
                             .version = row->ver[0],
                             .object = alert->object_id };
}

//  The loser's history: a tombstone where the source was.
static int
bury_source (ingest_t *self, const weft_owner_t *owner, const weft_point_t *row)
{
    weft_point_t stone = weft_tombstone (row, row->ver[0]);
    weft_objects_clear (self->losers);
    size_t loser = weft_objects_find (self->losers, owner->survey,
                                      weft_str (owner->other));
    weft_batch_clear (self->batch);
    int rc = weft_objects_ask (self->losers, self->batch);
    if (!rc)
        rc = weft_batch_run (self->batch);
    if (!rc)
        rc = weft_objects_answer (self->losers, self->batch);
    if (!rc)
        rc = weft_objects_merge (self->losers, loser, &stone, 1);
    return rc ? rc : weft_objects_store (self->losers, self->batch);
}

static int
move (ingest_t *self, const weft_owner_t *owner, const weft_point_t *row)
{
    char to[WEFT_OWNER_OBJECT_MOST];
    weft_str_copy (owner->object, to, sizeof to);
    const weft_event_t event = { .kind = "reassociated",
                                 .survey = owner->survey,
                                 .object_id = owner->object,
                                 .source = owner->source,
                                 .from = owner->other,
                                 .to = to,
                                 .version = owner->version,
                                 .reason = "the survey gave the source to "
                                           "another object" };
    int rc = bury_source (self, owner, row);
    if (!rc)
        rc = weft_events_put (self->redis, &event);
    if (!rc)
        rc = weft_owner_done (self->batch, owner);
    if (!rc)
        weft_metric_add (self->moved_total, 1);
    return rc;
}

static int
withdraw (ingest_t *self, const claim_t *claim)
{
    const weft_normal_t *normal = &self->slots[claim->slot].taken.normal;
    const weft_point_t *row = row_of (self, claim);
    bool own = row->key == normal->trigger;
    const weft_event_t event = {
        .kind = "withdrawn",
        .survey = normal->alert.survey,
        .object_id = normal->alert.object_id,
        .source = row->key,
        .at = own && WEFT_HAS (alert_v1, &normal->alert, withdrawn)
                  ? normal->alert.withdrawn
                  : 0,
        .reason = "the survey has withdrawn the source",
    };
    return weft_events_put (self->redis, &event);
}

//  A move asks Redis several times, and a packet may move a thousand sources:
//  they are done over several turns, or the loop would stand still for seconds.
//  Who comes again claims again, and hears of those that are left.
static int
settle (ingest_t *self, weft_owner_t *owners)
{
    int rc = 0;
    size_t moves = 0;
    self->moves_left = false;
    for (size_t i = 0; !rc && i < self->n_claims; i++) {
        claim_t *claim = &self->claims[i];
        const weft_point_t *row = row_of (self, claim);
        claim->lost = owners[i].verdict == WEFT_OWNER_LOST;
        claim->version = owners[i].other_version;
        if (owners[i].verdict == WEFT_OWNER_MOVED && moves++ == MOVES_A_TURN) {
            self->moves_left = true;
            return 0;
        }
        if (owners[i].verdict == WEFT_OWNER_MOVED)
            rc = move (self, &owners[i], row);
        if (!rc && row->flags & WEFT_FLAG_withdrawn)
            rc = withdraw (self, claim);
    }
    return rc;
}

int
weft_ingest_own (ingest_t *self)
{
    self->n_claims = 0;
    self->moves_left = false;
    if (!self->options->ownership)
        return 0;
    int rc = gather (self);
    if (rc || !self->n_claims)
        return rc;
    weft_owner_t *owners = malloc (self->n_claims * sizeof (*owners));
    if (!owners)
        return WEFT_ENOMEM;
    for (size_t i = 0; i < self->n_claims; i++)
        fill (self, &self->claims[i], &owners[i]);
    rc = weft_owner_claim (self->batch, owners, self->n_claims,
                           self->options->owner_days);
    if (!rc)
        rc = settle (self, owners);
    free (owners);
    return rc;
}

size_t
weft_ingest_lost (const ingest_t *self, const slot_t *slot, weft_point_t *rows)
{
    size_t n = 0;
    for (size_t i = 0; i < self->n_claims; i++) {
        const claim_t *claim = &self->claims[i];
        if (!claim->lost || &self->slots[claim->slot] != slot)
            continue;
        if (rows)
            rows[n] = weft_tombstone (row_of (self, claim), claim->version);
        n++;
    }
    return n;
}
