//  weft_ingest_store.c - every packet that was read, into the packet store.
//
//  Before anything else is done with it, refused ones too: so a reference that
//  leaves ingest is one to bytes that are there.

#include "weft_ingest_parts.h"

#include <unistd.h>

#include "weft_clock.h"
#include "weft_http.h"
#include "weft_log.h"
#include "weft_packet_number.h"
#include "weft_packet_read.h"
#include "weft_time.h"

#define ROUTE "/packets/"

//  In the HTTP thread: only the folder is looked at.
static int
answer (void *arg, const char *rest, weft_buf_t *body, char *why, size_t room)
{
    weft_packet_ref_t ref;
    if (weft_packet_of_text (rest, &ref)) {
        snprintf (why, room,
                  "expected /packets/SEGMENT-OFFSET-LENGTH-SHA256/8");
        return WEFT_EUSAGE;
    }
    int rc = weft_packet_read (arg, &ref, body);
    if (rc == WEFT_ENOENT)
        snprintf (why, room, "this packet is not here (any more)");
    else if (rc == WEFT_EMALFORMED)
        snprintf (why, room, "what is there is not this packet");
    return rc;
}

//  Where others reach our HTTP: "" if they cannot.
static void
name_address (ingest_t *self, const weft_stage_env_t *env)
{
    const char *http = weft_stage_http_address (env);
    const char *port = strrchr (http, ':');
    char host[256] = "";
    char *address = self->store_address;
    size_t room = sizeof (self->store_address);
    *address = 0;
    if (*self->options->store_address) {
        snprintf (address, room, "%s", self->options->store_address);
        return;
    }
    if (!port)
        return;
    bool all =
        strncmp (http, "*:", 2) == 0 || strncmp (http, "0.0.0.0:", 8) == 0;
    if (all && gethostname (host, sizeof (host) - 1))
        return;
    snprintf (address, room, "%s%s", host, all ? port : http);
}

//  What is wrong with it, when that is news.
static void
say_shut (ingest_t *self, int rc)
{
    weft_metric_set (self->store_stopped, 1);
    if (!strcmp (self->store_told, self->store_why))
        return;
    snprintf (self->store_told, sizeof (self->store_told), "%s",
              self->store_why);
    if (rc == WEFT_ECONFIG)
        weft_log (WEFT_ERROR, "INGEST-STORE-BAD", "%s", self->store_why);
    else if (rc == WEFT_EIO)
        weft_log (WEFT_ERROR, "STORE-STOPPED",
                  "%s; packets are not stored until it can be opened",
                  self->store_why);
}

static void
say_open (ingest_t *self)
{
    weft_metric_set (self->store_stopped, 0);
    if (*self->store_told)
        weft_log (WEFT_INFO, "STORE-RESUMES",
                  "%s; %llu packets were not stored", self->store_folder,
                  (unsigned long long)self->store_skipped);
    *self->store_told = 0;
    self->store_skipped = 0;
}

//  Says where packets are served, once the store has its number.
static int
publish (ingest_t *self)
{
    int rc = 0;
    if (*self->store_address && !self->store_published)
        rc = weft_packet_number_publish (self->redis,
                                         weft_packet_store_number (self->store),
                                         self->store_address);
    self->store_published = !rc;
    return rc;
}

//  Tries to open the store: 0 also if the disk does not let us now.
static int
try_open (ingest_t *self)
{
    int rc = 0;
    bool shut = !self->store;
    if (shut)
        self->store =
            weft_packet_store_new (&self->store_config, self->redis, &rc,
                                   self->store_why, sizeof (self->store_why));
    self->store_retry_ms = weft_time_ms () + WEFT_PACKET_RETRY_MS;
    if (self->store) {
        if (shut)
            say_open (self);
        return publish (self);
    }
    say_shut (self, rc);
    return rc == WEFT_EIO ? 0 : rc;
}

int
weft_ingest_open_store (ingest_t *self, const weft_stage_env_t *env)
{
    const weft_ingest_options_t *options = self->options;
    const char *data_dir = weft_stage_data_dir (env);
    char folder[WEFT_PACKET_PATH];
    if (strcmp (options->store, "off") == 0)
        return 0;
    snprintf (folder, sizeof (folder), "%.4000s/packets",
              data_dir && *data_dir ? data_dir : ".");
    self->store_folder = strdup (*options->store ? options->store : folder);
    if (!self->store_folder)
        return WEFT_ENOMEM;
    self->kept_message = -1;
    self->store_config = (weft_packet_store_config_t){
        .folder = self->store_folder,
        .segment_bytes = (uint64_t)options->store_segment,
        .keep_days = options->store_days,
        .keep_bytes = (uint64_t)options->store_bytes,
        .free_bytes = (uint64_t)options->store_free,
    };
    self->store_stopped = weft_gauge ("weft_store_stopped", "");
    self->store_skipped_total = weft_counter ("weft_store_skipped_total", "");
    name_address (self, env);
    int rc = try_open (self);
    if (!rc)
        weft_http_route (ROUTE, answer, self->store_folder);
    return rc;
}

void
weft_ingest_close_store (ingest_t *self)
{
    if (!self->isolated)
        weft_http_unroute (ROUTE);
    weft_packet_store_destroy (&self->store);
    free (self->store_folder);
}

void
weft_ingest_beat_store (ingest_t *self, int64_t now_ms)
{
    if (self->store)
        weft_packet_store_beat (self->store, now_ms, weft_clock_sure ());
    if (self->store_folder && !(self->store && self->store_published) &&
        now_ms >= self->store_retry_ms)
        (void)!try_open (self);
}

//  What is kept of the message that was read last.
static weft_packet_t
describe (const slot_t *slot, const weft_message_t *message)
{
    weft_packet_t packet = {
        .data = message->data,
        .size = message->size,
        .topic = slot->booking.topic,
        .partition = slot->booking.partition,
        .position = message->place.offset,
        .night = slot->booking.night,
        .received_us = (int64_t)(weft_time_utc () * 1e6),
        .stamp_us = message->t_kafka > 0
                        ? (int64_t)((weft_time_utc_of_tai (message->t_kafka) -
                                     WEFT_MJD_UNIX) *
                                    86400e6)
                        : 0,
    };
    memcpy (packet.sha256_8, slot->taken.sha256, 8);
    return packet;
}

int
weft_ingest_keep (ingest_t *self, slot_t *slot)
{
    const weft_message_t *message = weft_reader_message (self->reader);
    int rc = WEFT_EIO;
    //  A packet that is replayed from a store is there.
    if (message->ref)
        slot->ref = *message->ref;
    if (message->ref || !self->store_folder || !message->data)
        return 0;
    //  The items of one message share its bytes.
    if (self->kept_message == message->place.offset &&
        self->kept_part == message->at.part) {
        slot->ref = self->kept;
        return 0;
    }
    if (self->store) {
        const weft_packet_t packet = describe (slot, message);
        rc = weft_packet_store_append (self->store, &packet, &slot->ref);
    }
    if (rc == WEFT_EIO && self->options->store_hold)
        return WEFT_EDOWN;
    if (!self->store) {
        self->store_skipped++;
        weft_metric_add (self->store_skipped_total, 1);
    }
    self->kept_message = message->place.offset;
    self->kept_part = message->at.part;
    self->kept = slot->ref;
    return 0;
}

bool
weft_ingest_ready_store (const ingest_t *self, char *why, size_t room)
{
    const char *stopped = !self->store_folder ? NULL
                          : self->store
                              ? weft_packet_store_stopped (self->store)
                              : self->store_why;
    if (stopped)
        snprintf (why, room, "packets are not stored: %s", stopped);
    return !(stopped && self->unkept);
}
