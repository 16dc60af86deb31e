//  weft_upstream_hold.c - alerts in custody: entries, copies and flights.
//
//  Nothing here knows frames or peers. Memory comes from free lists that only
//  grow as far as the ceilings let them.

#include "weft_upstream_parts.h"

void
weft_upstream_queue (weft_upstream_t *self, copy_t *copy, bool front)
{
    branch_t *branch = &self->branches[copy->branch];
    copy->state = COPY_QUEUED;
    copy->prev = front ? NULL : branch->tail;
    copy->next = front ? branch->head : NULL;
    if (copy->prev)
        copy->prev->next = copy;
    else
        branch->head = copy;
    if (copy->next)
        copy->next->prev = copy;
    else
        branch->tail = copy;
    branch->queued++;
}

void
weft_upstream_unqueue (weft_upstream_t *self, copy_t *copy)
{
    branch_t *branch = &self->branches[copy->branch];
    assert (copy->state == COPY_QUEUED);
    if (copy->prev)
        copy->prev->next = copy->next;
    else
        branch->head = copy->next;
    if (copy->next)
        copy->next->prev = copy->prev;
    else
        branch->tail = copy->prev;
    copy->prev = copy->next = NULL;
    copy->state = COPY_NONE;
    branch->queued--;
}

static entry_t *
new_entry (weft_upstream_t *self)
{
    entry_t *entry = self->free_entries;
    size_t size =
        sizeof *entry + self->config.branch_count * sizeof entry->copies[0];
    if (entry)
        self->free_entries = entry->next;
    else
        entry = malloc (size);
    if (entry)
        memset (entry, 0, size);
    return entry;
}

static void
append_entry (weft_upstream_t *self, entry_t *entry)
{
    entry->prev = self->tail;
    if (self->tail)
        self->tail->next = entry;
    else
        self->head = entry;
    self->tail = entry;
    self->stats.alerts++;
    self->stats.bytes += entry->item.bytes;
    self->stats.submitted++;
}

static void
free_entry (weft_upstream_t *self, entry_t *entry)
{
    if (entry->prev)
        entry->prev->next = entry->next;
    else
        self->head = entry->next;
    if (entry->next)
        entry->next->prev = entry->prev;
    else
        self->tail = entry->prev;
    self->stats.alerts--;
    self->stats.bytes -= entry->item.bytes;
    self->ops.unref (self->arg, entry->item.item);
    entry->next = self->free_entries;
    self->free_entries = entry;
}

//  Closed in whatever way, for counting who was overtaken.
static uint64_t
closed (const weft_upstream_t *self)
{
    return self->stats.submitted - self->stats.alerts;
}

static void
settle_entry (weft_upstream_t *self, entry_t *entry)
{
    if (entry->worst == WEFT_OUTCOME_SETTLED)
        self->stats.settled++;
    else
        self->stats.dead++;
    self->ops.settled (self->arg, entry->tag, entry->worst);
    free_entry (self, entry);
}

static bool
has_room (const weft_upstream_t *self, size_t bytes)
{
    if (self->stats.alerts == 0)
        return true;
    return self->stats.alerts < self->config.max_alerts &&
           bytes <= self->config.max_bytes &&
           self->stats.bytes <= self->config.max_bytes - bytes;
}

static bool
holds (const weft_upstream_t *self, uint32_t branch)
{
    if (!WEFT_RULE (LISTED) && self->branches[branch].peers == 0)
        return false;
    return !WEFT_RULE (POLICY) ||
           self->branches[branch].policy == WEFT_LOSSLESS;
}

int
weft_upstream_submit (weft_upstream_t *self,
                      int64_t now,
                      const weft_item_t *item,
                      void *tag,
                      uint32_t branches)
{
    if (!has_room (self, item->bytes))
        return WEFT_EAGAIN;
    entry_t *entry = new_entry (self);
    if (!entry)
        return WEFT_ENOMEM;
    entry->item = *item;
    entry->tag = tag;
    entry->since = now;
    entry->closed_before = closed (self);
    entry->ahead = self->stats.alerts;
    append_entry (self, entry);
    for (uint32_t i = 0; i < self->config.branch_count; i++) {
        copy_t *copy = &entry->copies[i];
        copy->entry = entry;
        copy->branch = (uint8_t)i;
        if (!(branches & 1u << i))
            continue;
        if (holds (self, i)) {
            entry->open++;
            weft_upstream_queue (self, copy, false);
        } else {
            weft_upstream_tap (self, i, item);
        }
    }
    if (entry->open == 0)
        settle_entry (self, entry);
    return 0;
}

void
weft_upstream_copy_done (weft_upstream_t *self,
                         copy_t *copy,
                         weft_outcome_t outcome)
{
    entry_t *entry = copy->entry;
    copy->state = COPY_DONE;
    if (outcome > entry->worst || !WEFT_RULE (WORST))
        entry->worst = outcome;
    entry->open--;
    if (!WEFT_RULE (BRANCHES) && !weft_upstream_forget (self, entry))
        entry->open = 0;
    if (entry->open == 0)
        settle_entry (self, entry);
}

void
weft_upstream_copy_bury (weft_upstream_t *self,
                         copy_t *copy,
                         int code,
                         const char *reason)
{
    branch_t *branch = &self->branches[copy->branch];
    copy->state = COPY_BURYING;
    branch->burying++;
    self->ops.bury (self->arg, copy, copy->entry->tag, branch->stage,
                    copy->entry->item.item, code, reason);
}

void
weft_upstream_buried (weft_upstream_t *self, int64_t now, weft_grave_t *grave)
{
    (void)now;
    assert (grave->state == COPY_BURYING);
    self->branches[grave->branch].burying--;
    weft_upstream_copy_done (self, grave, WEFT_OUTCOME_DEAD);
}

static uint32_t
bucket (const weft_upstream_t *self, const session_t *session, uint64_t seq)
{
    uint64_t key = (session->id ^ seq) * UINT64_C (0x9e3779b97f4a7c15);
    return (uint32_t)(key >> 40) & self->table_mask;
}

bool
weft_upstream_can_fly (weft_upstream_t *self)
{
    if (!self->free_flights)
        self->free_flights = calloc (1, sizeof *self->free_flights);
    return self->free_flights;
}

void
weft_upstream_fly (weft_upstream_t *self,
                   session_t *session,
                   copy_t *copy,
                   size_t bytes)
{
    flight_t *flight = self->free_flights;
    self->free_flights = flight->next;
    *flight = (flight_t){ .prev = session->tail,
                          .session = session,
                          .copy = copy,
                          .seq = ++session->last_seq,
                          .bytes = bytes };
    if (session->tail)
        session->tail->next = flight;
    else
        session->head = flight;
    session->tail = flight;
    session->unsettled++;
    session->unsettled_bytes += bytes;
    flight_t **slot = &self->table[bucket (self, session, flight->seq)];
    flight->hash_next = *slot;
    *slot = flight;
    if (copy) {
        copy->state = COPY_SENT;
        copy->flight = flight;
        self->branches[copy->branch].unsettled++;
    }
}

flight_t *
weft_upstream_flight (const weft_upstream_t *self,
                      const session_t *session,
                      uint64_t seq)
{
    flight_t *flight = self->table[bucket (self, session, seq)];
    while (flight && (flight->seq != seq || flight->session != session))
        flight = flight->hash_next;
    return flight;
}

copy_t *
weft_upstream_land (weft_upstream_t *self, flight_t *flight)
{
    session_t *session = flight->session;
    flight_t **slot = &self->table[bucket (self, session, flight->seq)];
    while (*slot != flight)
        slot = &(*slot)->hash_next;
    *slot = flight->hash_next;
    if (flight->prev)
        flight->prev->next = flight->next;
    else
        session->head = flight->next;
    if (flight->next)
        flight->next->prev = flight->prev;
    else
        session->tail = flight->prev;
    session->unsettled--;
    session->unsettled_bytes -= flight->bytes;
    copy_t *copy = flight->copy;
    if (copy) {
        copy->flight = NULL;
        copy->state = COPY_NONE;
        self->branches[copy->branch].unsettled--;
    }
    flight->next = self->free_flights;
    self->free_flights = flight;
    return copy;
}

bool
weft_upstream_oldest (const weft_upstream_t *self,
                      int64_t now,
                      weft_oldest_t *oldest)
{
    const entry_t *entry = self->head;
    if (!entry)
        return false;
    //  Of what has closed since, at most `ahead` was submitted before it.
    uint64_t since = closed (self) - entry->closed_before;
    *oldest = (weft_oldest_t){
        .tag = entry->tag,
        .item = entry->item.item,
        .age_ms = now - entry->since,
        .overtaken = since > entry->ahead ? since - entry->ahead : 0,
    };
    for (uint32_t i = 0; i < self->config.branch_count; i++)
        if (entry->copies[i].state != COPY_NONE &&
            entry->copies[i].state != COPY_DONE)
            oldest->waiting |= 1u << i;
    return true;
}

int
weft_upstream_forget (weft_upstream_t *self, entry_t *entry)
{
    for (uint32_t i = 0; i < self->config.branch_count; i++)
        if (entry->copies[i].state == COPY_BURYING)
            return WEFT_EAGAIN;
    for (uint32_t i = 0; i < self->config.branch_count; i++) {
        copy_t *copy = &entry->copies[i];
        if (copy->state == COPY_QUEUED)
            weft_upstream_unqueue (self, copy);
        if (copy->state == COPY_SENT) {
            copy->flight->copy = NULL;
            self->branches[i].unsettled--;
            copy->state = COPY_NONE;
        }
    }
    return 0;
}

int
weft_upstream_abandon_oldest (weft_upstream_t *self, int64_t now)
{
    (void)now;
    entry_t *entry = self->head;
    if (!entry || weft_upstream_forget (self, entry))
        return WEFT_EAGAIN;
    free_entry (self, entry);
    return 0;
}

void
weft_upstream_free_all (weft_upstream_t *self)
{
    while (self->head)
        free_entry (self, self->head);
    while (self->free_entries) {
        entry_t *entry = self->free_entries;
        self->free_entries = entry->next;
        free (entry);
    }
    while (self->free_flights) {
        flight_t *flight = self->free_flights;
        self->free_flights = flight->next;
        free (flight);
    }
}
