//  weft_input_packets.c - a packet store as an input: a night, replayed.
//
//  The order is that of the stamps, then of segment and offset, and so a function
//  of the store alone. The pace is the messages': each has its time on the clock
//  of the replay, and before that there is none.

#include <sys/stat.h>

#include "weft_decoder.h"
#include "weft_hash.h"
#include "weft_input.h"
#include "weft_log.h"
#include "weft_packet_read.h"
#include "weft_packet_scan.h"
#include "weft_time.h"

#define ENTRIES_MOST (1u << 28)
#define FOLDER_MOST 1024

typedef struct {
    int64_t time_us;  //  when it came, since 1970
    weft_packet_ref_t ref;
    uint64_t source;  //  hash of topic, partition and position
} entry_t;

typedef struct {
    weft_input_t input;  //  first: what callers hold
    char folder[FOLDER_MOST];
    int32_t night;  //  0: all
    double rate;    //  0: no pace
    entry_t *entries;
    size_t n, room;
    weft_place_t next;
    int64_t start_ns;  //  of the first message that was asked for
    int64_t first_us;  //  its time
    weft_buf_t data;
    char path[WEFT_PACKET_TEXT];
    uint64_t identity;
} packets_t;

//  "FOLDER?night=N&rate=X".
static int
parse (packets_t *self, const char *text)
{
    const char *mark = strchr (text, '?');
    size_t size = mark ? (size_t)(mark - text) : strlen (text);
    int night = 0, end = 0;
    double rate = 0;
    if (!size || size >= sizeof (self->folder))
        return WEFT_ECONFIG;
    snprintf (self->folder, sizeof (self->folder), "%.*s", (int)size, text);
    const char *at = mark ? mark : "";
    while (*at) {
        at++;
        if (sscanf (at, "night=%d%n", &night, &end) != 1 &&
            sscanf (at, "rate=%lf%n", &rate, &end) != 1)
            return WEFT_ECONFIG;
        at += end;
        if (*at && *at != '&')
            return WEFT_ECONFIG;
    }
    self->night = night;
    self->rate = rate;
    return rate >= 0 && rate <= 1e6 ? 0 : WEFT_ECONFIG;
}

static int
add (packets_t *self, const weft_packet_record_t *record)
{
    const weft_packet_t *packet = &record->packet;
    if (self->n == self->room) {
        size_t room = self->room ? 2 * self->room : 1024;
        entry_t *moved = room > ENTRIES_MOST
                             ? NULL
                             : realloc (self->entries, room * sizeof (*moved));
        if (!moved)
            return WEFT_ENOMEM;
        self->entries = moved;
        self->room = room;
    }
    uint64_t source = weft_hash (packet->topic.p, packet->topic.n);
    source = weft_hash_u64 (source ^ (uint32_t)packet->partition);
    self->entries[self->n++] = (entry_t){
        .time_us = packet->stamp_us ? packet->stamp_us : packet->received_us,
        .ref = record->ref,
        .source = weft_hash_u64 (source ^ (uint64_t)packet->position),
    };
    return 0;
}

//  The next record; what is none is passed over, and said once a segment.
static int
next_record (weft_packet_scan_t *scan,
             const char *path,
             bool *said,
             weft_packet_record_t *record)
{
    int rc = weft_packet_scan_next (scan, record);
    if (rc != WEFT_EMALFORMED && rc != WEFT_ETRUNCATED)
        return rc;
    uint64_t from = weft_packet_scan_at (scan);
    rc = weft_packet_scan_resume (scan);
    if (rc != 1)
        return rc;
    if (!*said)
        weft_log (WEFT_ERROR, "STORE-DAMAGED",
                  "%s: bytes %llu to %llu are no packet, they are passed over; "
                  "there may be more behind them",
                  path, (unsigned long long)from,
                  (unsigned long long)weft_packet_scan_at (scan));
    *said = true;
    return weft_packet_scan_next (scan, record);
}

static int
add_segment (packets_t *self, uint32_t segment)
{
    char path[WEFT_PACKET_PATH];
    weft_packet_record_t record;
    bool said = false;
    int rc;
    weft_packet_path (self->folder, segment, path);
    weft_packet_scan_t *scan = weft_packet_scan_new (path, &rc);
    while (scan && (rc = next_record (scan, path, &said, &record)) == 1) {
        if (self->night && record.packet.night != self->night)
            continue;
        rc = add (self, &record);
        if (rc)
            break;
    }
    weft_packet_scan_destroy (&scan);
    //  What is not whole at the end is not there: it may be still written.
    return rc == WEFT_EIO || rc == WEFT_ENOMEM ? rc : 0;
}

static int
by_source (const void *x, const void *y)
{
    const entry_t *a = x, *b = y;
    if (a->source != b->source)
        return a->source < b->source ? -1 : 1;
    return a->time_us < b->time_us ? -1 : a->time_us > b->time_us;
}

static int
by_time (const void *x, const void *y)
{
    const entry_t *a = x, *b = y;
    if (a->time_us != b->time_us)
        return a->time_us < b->time_us ? -1 : 1;
    if (a->ref.segment != b->ref.segment)
        return a->ref.segment < b->ref.segment ? -1 : 1;
    return a->ref.offset < b->ref.offset ? -1 : a->ref.offset > b->ref.offset;
}

//  A packet that was read again after a kill is in the store twice.
static void
order (packets_t *self)
{
    size_t n = 0;
    if (!self->n)
        return;
    qsort (self->entries, self->n, sizeof (*self->entries), by_source);
    for (size_t i = 0; i < self->n; i++)
        if (!n || self->entries[i].source != self->entries[n - 1].source)
            self->entries[n++] = self->entries[i];
    self->n = n;
    qsort (self->entries, n, sizeof (*self->entries), by_time);
    for (size_t i = 0; i < n; i++) {
        const entry_t *entry = &self->entries[i];
        self->identity = weft_hash_u64 (self->identity ^ entry->source);
        self->identity ^= weft_get_u64 (entry->ref.sha256_8);
    }
}

//  When the next message is due, in ns from now; 0: it is.
static int64_t
due_in (const packets_t *self)
{
    if (self->rate <= 0 || self->next.file >= self->n || !self->start_ns)
        return 0;
    int64_t since_us = self->entries[self->next.file].time_us - self->first_us;
    double at_ns = (double)since_us * 1e3 / self->rate;
    int64_t left = self->start_ns + (int64_t)WEFT_MIN (at_ns, 9e18 - 1e18) -
                   weft_time_ns ();
    return WEFT_MAX (left, 0);
}

static int
packets_wait_ms (const weft_input_t *input)
{
    int64_t ms = due_in ((const packets_t *)(const void *)input) / 1000000 + 1;
    return (int)WEFT_MIN (ms, 1000);
}

static int
packets_next (weft_input_t *input, weft_message_t *message)
{
    packets_t *self = (packets_t *)(void *)input;
    if (self->next.file >= self->n)
        return 0;
    const entry_t *entry = &self->entries[self->next.file];
    if (!self->start_ns) {
        self->start_ns = weft_time_ns ();
        self->first_us = entry->time_us;
    }
    if (due_in (self) > 0)
        return WEFT_EAGAIN;
    weft_packet_text (&entry->ref, self->path);
    int rc = weft_packet_read (self->folder, &entry->ref, &self->data);
    *message = (weft_message_t){
        .place = self->next,
        .path = self->path,
        .data = rc ? NULL : self->data.data,
        .size = rc ? 0 : self->data.size,
        .why = rc ? "its segment has gone since, or is damaged" : NULL,
        .t_kafka = weft_time_tai_of_utc (WEFT_MJD_UNIX +
                                         (double)entry->time_us / 86400e6),
        .ref = &entry->ref,
    };
    return 1;
}

static void
packets_advance (weft_input_t *input, uint64_t items)
{
    packets_t *self = (packets_t *)(void *)input;
    self->next.offset += (int64_t)items;
    self->next.file++;
}

static int
packets_seek (weft_input_t *input, const weft_place_t *place)
{
    packets_t *self = (packets_t *)(void *)input;
    if (place->file > self->n)
        return WEFT_ENOENT;
    self->next = *place;
    self->next.item = 0;
    return 0;
}

static uint64_t
packets_identity (const weft_input_t *input)
{
    return ((const packets_t *)(const void *)input)->identity;
}

static void
packets_destroy (weft_input_t **self_p)
{
    packets_t *self = (packets_t *)(void *)*self_p;
    weft_buf_fini (&self->data);
    free (self->entries);
    free (self);
    *self_p = NULL;
}

static int
gather (packets_t *self)
{
    weft_packet_file_t *files;
    size_t n;
    int rc = weft_packet_files (self->folder, &files, &n);
    for (size_t i = 0; !rc && i < n; i++)
        rc = add_segment (self, files[i].segment);
    free (files);
    if (!rc)
        order (self);
    return rc;
}

weft_input_t *
weft_input_packets (const char *text, char why[WEFT_INPUT_WHY])
{
    packets_t *self = calloc (1, sizeof (*self));
    if (!self) {
        snprintf (why, WEFT_INPUT_WHY, "out of memory");
        return NULL;
    }
    self->input = (weft_input_t){ .next = packets_next,
                                  .advance = packets_advance,
                                  .seek = packets_seek,
                                  .identity = packets_identity,
                                  .wait_ms = packets_wait_ms,
                                  .destroy = packets_destroy };
    weft_input_t *input = &self->input;
    weft_buf_init (&self->data, WEFT_PACKET_MOST);
    int rc = parse (self, text + strlen (WEFT_INPUT_PACKETS));
    if (!rc)
        rc = gather (self);
    if (!rc)
        return input;
    snprintf (why, WEFT_INPUT_WHY, "%.300s: %s", text,
              rc == WEFT_ECONFIG
                  ? "expected packets:FOLDER?night=NIGHT&rate=FACTOR"
              : rc == WEFT_ENOENT ? "there is no such folder"
                                  : weft_error_text (rc));
    packets_destroy (&input);
    return NULL;
}
