//  weft_ingest_pull.c - a batch from the input into the mesh, step by step.
//
//  Each step may be done again: when Redis is down, the batch stays where it is
//  and the next pull goes on there. Nothing new is read meanwhile.

#include "weft_ingest_parts.h"

#include "weft_log.h"
#include "weft_time.h"

#define SCHEMA_MS 20     //  between looks for a schema that is on its way
#define WAIT_MS 200      //  between looks at an input that is at its end
#define REBALANCE_MS 20  //  between looks while partitions go away
#define HELD_MS 5        //  between looks at a backlog that is held back
#define REPLAY_MS 1000   //  between looks at what was put back

static void
fill_booking (ingest_t *self, slot_t *slot)
{
    const weft_taken_t *taken = &slot->taken;
    const weft_alert_v1_t *alert = &taken->normal.alert;
    slot->booking = (weft_booking_t){
        .survey = taken->rc ? weft_str ("") : alert->survey,
        .topic = weft_str (taken->topic ? taken->topic : self->topic),
        .partition = taken->topic ? taken->partition : self->share,
        .offset = taken->offset,
        .night = taken->rc ? WEFT_LEDGER_NO_NIGHT : alert->night,
        .alert_id = taken->rc ? 0 : alert->alert_id,
        .has_id = !taken->rc,
    };
}

static void
clear_slot (slot_t *slot)
{
    slot->fate = SLOT_ALERT;
    slot->object = 0;
    slot->alert = NULL;
    slot->flight = NULL;
    slot->buried = false;
    slot->replay = false;
    *slot->replay_key = 0;
    slot->ref = (weft_packet_ref_t){ 0 };
}

//  How many alerts the pace allows now.
static size_t
paced (ingest_t *self, size_t room, int64_t now_ms)
{
    double rate = self->options->rate;
    if (rate <= 0)
        return room;
    double allowed =
        (double)(now_ms - self->start_ms) / 1000 * rate - self->due;
    //  After a hold nothing is made up for beyond a tenth of a second.
    if (allowed > WEFT_MAX (rate / 10, 1)) {
        self->due += allowed - WEFT_MAX (rate / 10, 1);
        allowed = WEFT_MAX (rate / 10, 1);
    }
    return WEFT_MIN (room, (size_t)WEFT_MAX (allowed, 0));
}

static int
read_slot (ingest_t *self)
{
    slot_t *slot = &self->slots[self->n_slots];
    clear_slot (slot);
    int64_t start = weft_time_ns ();
    slot->taken.waits = false;
    int rc = weft_reader_next (self->reader, &slot->taken);
    bool waits = rc == WEFT_EAGAIN && slot->taken.waits;
    if (weft_ingest_wait_schema (self, waits ? &slot->taken : NULL))
        return 1;
    if (rc != 1)
        return rc;
    weft_metric_observe (self->decode_us,
                         (double)(weft_time_ns () - start) / 1000);
    if (weft_ingest_watch_schema (self, &slot->taken, start / 1000000))
        return 1;
    fill_booking (self, slot);
    rc = self->mark_error = weft_ingest_mark (self, &slot->taken);
    if (rc)
        return rc;
    self->counts.read++;
    weft_metric_add (self->read_total, 1);
    self->n_slots++;
    if (weft_ingest_keep (self, slot))
        self->unkept = slot;
    else
        weft_reader_rest (self->reader);
    return 1;
}

//  Reads up to `room` positions. 0: there may be more, else an error.
static int
read_batch (ingest_t *self, size_t room)
{
    room = WEFT_MIN (room, (size_t)(self->exact ? 1 : WEFT_INGEST_BATCH));
    self->idle = false;
    while (self->n_slots < room && !self->exhausted && !self->paused &&
           !self->unkept) {
        int rc = read_slot (self);
        if (rc == 1)
            continue;
        self->idle = rc == WEFT_EAGAIN && !weft_reader_amid (self->reader);
        if (rc == WEFT_EAGAIN)
            return 0;
        if (rc)
            return self->n_slots ? 0 : rc;
        self->exhausted = true;
    }
    return 0;
}

//  A dead letter was put back: its packet is decoded anew.
static void
take_replay (void *arg,
             const char *key,
             const weft_dead_v1_t *dead,
             weft_alert_t *alert)
{
    ingest_t *self = arg;
    if (alert || self->n_slots == WEFT_INGEST_BATCH) {
        weft_alert_unref (&alert);
        return;
    }
    slot_t *slot = &self->slots[self->n_slots];
    clear_slot (slot);
    slot->replay = true;
    slot->taken.at = (weft_position_t){ 0 };
    slot->taken.topic = NULL;
    slot->taken.t_kafka = 0;
    snprintf (slot->replay_key, sizeof (slot->replay_key), "%s", key);
    weft_str_copy (dead->topic, slot->replay_topic,
                   sizeof (slot->replay_topic));
    weft_str_copy (dead->path, slot->taken.path, sizeof (slot->taken.path));
    weft_ingest_decode_replay (self, slot, dead);
    slot->taken.offset = dead->offset;
    (void)!weft_packet_of_raw_ref (&dead->raw_ref, &slot->ref);
    fill_booking (self, slot);
    slot->booking.topic = weft_str (slot->replay_topic);
    slot->booking.partition = dead->partition;
    slot->booking.night = dead->night;
    slot->booking.replayed = true;
    slot->fate = slot->taken.rc ? SLOT_DEAD : SLOT_ALERT;
    self->n_slots++;
}

//  Asks the ledger what it knows of these positions, and for the histories of
//  their objects, in one round trip.
static int
ask (ingest_t *self)
{
    weft_booking_t bookings[WEFT_INGEST_BATCH];
    size_t first;
    int found = weft_ingest_find_nights (self);
    if (found)
        return found;
    weft_batch_clear (self->batch);
    weft_objects_clear (self->objects);
    for (size_t i = 0; i < self->n_slots; i++) {
        slot_t *slot = &self->slots[i];
        bookings[i] = slot->booking;
        if (!slot->taken.rc)
            slot->object = weft_objects_find (
                self->objects, slot->taken.normal.alert.survey,
                slot->taken.normal.alert.object_id);
    }
    int rc =
        weft_ledger_take_ask (self->batch, bookings, self->n_slots, &first);
    if (!rc)
        rc = weft_objects_ask (self->objects, self->batch);
    if (!rc)
        rc = weft_batch_run (self->batch);
    if (!rc)
        rc = weft_ledger_take_answer (self->batch, first, bookings,
                                      self->n_slots);
    if (!rc)
        rc = weft_objects_answer (self->objects, self->batch);
    for (size_t i = 0; !rc && i < self->n_slots; i++) {
        slot_t *slot = &self->slots[i];
        if (slot->replay)
            continue;
        slot->booking.booked = bookings[i].booked;
        slot->fate = bookings[i].booked != WEFT_BOOKED_NONE ? SLOT_DONE
                     : slot->taken.rc                       ? SLOT_DEAD
                     : bookings[i].seen                     ? SLOT_DUPLICATE
                                                            : SLOT_ALERT;
    }
    return rc;
}

//  Rows that may not be kept go, before anything is stored.
static void
drop_nonpublic (weft_normal_t *normal, weft_point_t *rows, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < normal->n_rows; i++)
        if (normal->rows[i].prog == 1)
            rows[(*n)++] = normal->rows[i];
}

//  Also of what is settled already: the history may be with another master than
//  the ledger, and have died with it. What is there changes nothing.
bool
weft_ingest_joins (const slot_t *slot)
{
    return slot->fate == SLOT_ALERT ||
           (slot->fate == SLOT_DONE && !slot->taken.rc &&
            slot->booking.booked == WEFT_BOOKED_SETTLED);
}

static int
merge (ingest_t *self)
{
    for (size_t i = 0; i < self->n_slots; i++) {
        slot_t *slot = &self->slots[i];
        weft_normal_t *normal = &slot->taken.normal;
        if (!weft_ingest_joins (slot))
            continue;
        //  Merged from a copy: the rows are needed again if this is repeated.
        size_t lost = weft_ingest_lost (self, slot, NULL);
        size_t n = normal->n_rows;
        weft_point_t *rows = malloc ((n + lost) * sizeof (*rows));
        if (!rows)
            return WEFT_ENOMEM;
        if (self->options->nonpublic)
            memcpy (rows, normal->rows, n * sizeof (*rows));
        else
            drop_nonpublic (normal, rows, &n);
        n += weft_ingest_lost (self, slot, rows + n);
        int rc = weft_objects_merge (self->objects, slot->object, rows, n);
        free (rows);
        if (rc)
            return rc;
    }
    return 0;
}

static int
store (ingest_t *self)
{
    int rc = weft_ingest_own (self);
    if (rc || self->moves_left)
        return rc;
    rc = merge (self);
    return rc ? rc : weft_objects_store (self->objects, self->batch);
}

//  Builds the alerts. A second one of an id that is in flight waits for it.
static int
build (ingest_t *self)
{
    for (size_t i = 0; i < self->n_slots; i++) {
        slot_t *slot = &self->slots[i];
        if (slot->fate != SLOT_ALERT || slot->alert)
            continue;
        if (!slot->flight) {
            int rc = weft_flights_add (self->flights, &slot->booking,
                                       &slot->taken.at, slot->replay_key,
                                       &slot->flight);
            if (rc)
                return rc;
            if (!slot->flight) {
                slot->fate = SLOT_WAITS;
                continue;
            }
        }
        int rc = WEFT_ECRASHED;
        if (weft_hand_take (self->hand, slot->taken.key))
            rc = weft_ingest_build (self, slot);
        weft_hand_lay_down (self->hand);
        if (!rc)
            continue;
        if (weft_error_class (rc) != WEFT_CLASS_REJECT)
            return rc;
        slot->taken.rc = rc;
        slot->fate = SLOT_DEAD;
        weft_flights_end (self->flights, slot->flight);
        slot->flight = NULL;
    }
    return 0;
}

static int
bury (ingest_t *self, slot_t *slot)
{
    const weft_taken_t *taken = &slot->taken;
    weft_raw_ref_v1_t raw = { 0 };
    weft_ingest_raw_ref (slot, &raw);
    const weft_dead_packet_t dead = {
        .survey = slot->booking.survey,
        .topic = slot->booking.topic,
        .partition = slot->booking.partition,
        .offset = slot->booking.offset,
        .path = weft_str (taken->path),
        .night = slot->booking.night,
        .item = taken->item,
        //  Letters of unknown ids, of which there may be any number, share
        //  their room for bytes.
        .schema =
            weft_str (strncmp (taken->schema, "id:", 3) ? taken->schema : ""),
        .packet = taken->sample,
        .size = taken->sample_size,
        .raw_ref = taken->size ? &raw : NULL,
        .code = taken->rc,
        .reason = taken->why,
    };
    int rc = weft_dlq_put_packet (self->redis, &dead, self->letters_most);
    //  At the ceiling the letter waits: nothing is trimmed, nothing is lost.
    self->letters_full = rc == WEFT_ETOOBIG;
    if (self->letters_full)
        return WEFT_EDOWN;
    if (!rc && slot->replay)
        rc = weft_ingest_end_replay (self, slot);
    slot->buried = !rc;
    return rc;
}

//  Books what ends here: dead letters and duplicates.
static int
book (ingest_t *self)
{
    weft_booking_t bookings[WEFT_INGEST_BATCH];
    size_t n = 0;
    for (size_t i = 0; i < self->n_slots; i++) {
        slot_t *slot = &self->slots[i];
        if (slot->fate == SLOT_DEAD && !slot->buried) {
            int rc = bury (self, slot);
            if (rc)
                return rc;
        }
        if (slot->replay ||
            (slot->fate != SLOT_DEAD && slot->fate != SLOT_DUPLICATE))
            continue;
        bookings[n] = slot->booking;
        bookings[n++].outcome =
            slot->fate == SLOT_DEAD ? WEFT_BOOKED_DEAD : WEFT_BOOKED_DUPLICATE;
    }
    return n ? weft_ingest_book (self, bookings, n) : 0;
}

static void
count (ingest_t *self, const slot_t *slot)
{
    switch (slot->fate) {
    case SLOT_DEAD:
        self->counts.dead++;
        weft_metric_add (self->refused_total, 1);
        break;
    case SLOT_DUPLICATE:
        self->counts.duplicate++;
        weft_metric_add (self->duplicate_total, 1);
        break;
    case SLOT_DONE:
        weft_ingest_again (self, slot);
        break;
    default:
        break;
    }
}

//  The batch is ready: alerts go into the mesh, the rest is done.
static void
release (ingest_t *self, weft_intake_t *intake)
{
    for (size_t i = 0; i < self->n_slots; i++) {
        slot_t *slot = &self->slots[i];
        if (slot->fate == SLOT_ALERT) {
            self->counts.alerts++;
            weft_intake_add (intake, slot->alert, slot->flight);
            slot->alert = NULL;
            slot->flight = NULL;
        } else if (slot->fate != SLOT_WAITS) {
            count (self, slot);
            if (!slot->replay)
                weft_ingest_end (self, &slot->taken.at, slot->taken.offset);
        }
    }
    self->n_slots = 0;
    self->step = STEP_READ;
}

static int
work (ingest_t *self, weft_intake_t *intake)
{
    int rc = 0;
    if (self->step == STEP_ASK && !(rc = ask (self)))
        self->step = STEP_STORE;
    if (!rc && self->step == STEP_STORE && !(rc = store (self)) &&
        !self->moves_left)
        self->step = STEP_BUILD;
    if (!rc && self->step == STEP_BUILD && !(rc = build (self)))
        self->step = STEP_END;
    if (!rc && self->step == STEP_END && !(rc = book (self)))
        release (self, intake);
    return rc;
}

//  What was put back as well as what is new.
static int
fill_batch (ingest_t *self, size_t room)
{
    int64_t now_ms = weft_time_ms ();
    size_t allowed = paced (self, room, now_ms);
    if (weft_watermark_open (self->mark) >= WEFT_INGEST_OPEN_MOST)
        allowed = 0;
    if (allowed) {
        int rc = read_batch (self, allowed);
        if (rc)
            return rc;
        self->due += (double)self->n_slots;
    }
    size_t left = WEFT_MIN (room, (size_t)WEFT_INGEST_BATCH) - self->n_slots;
    if (now_ms - self->replay_ms >= REPLAY_MS) {
        self->replay_ms = now_ms;
        return weft_replay_take (self->replay, left, take_replay, self);
    }
    return 0;
}

//  How long the loop may sleep.
static int
wait_ms (const ingest_t *self)
{
    if (self->exhausted)
        return self->options->stay ? WAIT_MS : -1;
    if (*self->waits)
        return SCHEMA_MS;
    if (self->idle && self->input->wait_ms)
        return self->input->wait_ms (self->input);
    if (self->idle)
        //  The stream's descriptor wakes the loop before.
        return weft_kafka_rebalancing (self->kafka)  ? REBALANCE_MS
               : weft_kafka_holds_back (self->kafka) ? HELD_MS
                                                     : WAIT_MS;
    if (self->paused)
        return WAIT_MS;
    if (weft_watermark_open (self->mark) >= WEFT_INGEST_OPEN_MOST)
        return 1;
    if (self->options->rate > 0)
        return (int)WEFT_MIN (WEFT_MAX (1000 / self->options->rate, 1),
                              WAIT_MS);
    return 0;
}

int
weft_ingest_pull (void *arg, weft_intake_t *intake, size_t room)
{
    ingest_t *self = arg;
    int rc = 0;
    if (self->mark_error)
        return self->mark_error;
    if (self->kafka && weft_kafka_rebalancing (self->kafka))
        self->stream_error = weft_kafka_beat (self->kafka, weft_time_ms ());
    if (self->stream_error)
        return self->stream_error;
    if (self->step == STEP_READ) {
        rc = fill_batch (self, room);
        if (self->n_slots) {
            self->step = STEP_ASK;
            rc = 0;
        }
    }
    //  The packet that has to be stored first is still the one that was read
    //  last, as nothing is read meanwhile.
    if (self->unkept && !weft_ingest_keep (self, self->unkept)) {
        self->unkept = NULL;
        weft_reader_rest (self->reader);
    }
    if (self->unkept)
        return WEFT_EDOWN;
    if (!rc && self->n_slots)
        rc = work (self, intake);
    self->error = rc;
    if (rc)
        //  -1 would mean "nothing more": what is "not now" is told otherwise.
        return rc == WEFT_EAGAIN ? WEFT_EDOWN : rc;
    return self->moves_left ? 0 : wait_ms (self);
}
