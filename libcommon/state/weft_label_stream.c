//  weft_label_stream.c - see weft_label_stream.h.

#include "weft_label_stream.h"

#include "weft_label_text.h"
#include "weft_labels.h"
#include "weft_log.h"

#define REFUSED_MOST "1000"
#define REASON_MOST 4096

//  KEYS: refused. ARGV: entry, reason, most. At the ceiling only what is there
//  already is written again.
static const char refuse_script[] =
    "if redis.call ('HLEN', KEYS[1]) < tonumber (ARGV[3]) or\n"
    "   redis.call ('HEXISTS', KEYS[1], ARGV[1]) == 1 then\n"
    "  redis.call ('HSET', KEYS[1], ARGV[1], ARGV[2])\n"
    "end\n"
    "return 1\n";

//  One turn: entries that are labels, and the commands that end all of them.
typedef struct {
    weft_label_put_t puts[WEFT_LABEL_BATCH];
    const weft_reply_t *entries[WEFT_LABEL_BATCH];
    size_t n;
    weft_batch_t *after;  //  refusals and deletions
    weft_label_counts_t *counts;
} turn_t;

static weft_str_t
text_at (const weft_reply_t *list, size_t i)
{
    weft_bin_t bytes = weft_reply_bytes (weft_reply_at (list, i));
    return (weft_str_t){ (const char *)bytes.p, bytes.n };
}

static void
end_entry (turn_t *self, weft_str_t id)
{
    weft_batch_begin (self->after, 3);
    weft_batch_str (self->after, "XDEL");
    weft_batch_str (self->after, "label:in");
    weft_batch_arg (self->after, id.p, id.n);
}

//  Kept with its fields, so that a person can mend it.
static void
refuse (turn_t *self, const weft_reply_t *entry, const char *why)
{
    weft_buf_t text;
    weft_str_t id = text_at (entry, 0);
    const weft_reply_t *fields = weft_reply_at (entry, 1);
    weft_buf_init (&text, REASON_MOST);
    weft_buf_addf (&text, "%s", why);
    for (size_t i = 0; i + 1 < weft_reply_count (fields); i += 2) {
        weft_str_t key = text_at (fields, i), value = text_at (fields, i + 1);
        weft_buf_addf (&text, " | %.*s=%.*s", (int)key.n, key.p, (int)value.n,
                       value.p);
    }
    weft_batch_script (self->after, refuse_script, 1, 3);
    weft_batch_str (self->after, "label:refused");
    weft_batch_arg (self->after, id.p, id.n);
    weft_batch_arg (self->after, text.data, text.size);
    weft_batch_str (self->after, REFUSED_MOST);
    weft_buf_fini (&text);
    self->counts->refused++;
    weft_log (WEFT_WARN, "LABEL-REFUSED", "entry %.*s of label:in: %s",
              (int)id.n, id.p, why);
    end_entry (self, id);
}

static void
read_entry (turn_t *self, const weft_reply_t *entry)
{
    char why[WEFT_LABEL_WHY] = "";
    weft_label_put_t *put = &self->puts[self->n];
    const weft_reply_t *fields = weft_reply_at (entry, 1);
    int rc = 0;
    memset (put, 0, sizeof (*put));
    weft_contract_clear (&weft_label_v1, &put->label);
    for (size_t i = 0; !rc && i + 1 < weft_reply_count (fields); i += 2) {
        weft_str_t key = text_at (fields, i);
        rc = weft_label_set (&put->label, key, text_at (fields, i + 1));
        if (rc)
            snprintf (why, sizeof (why), "%.*s: %s", (int)WEFT_MIN (key.n, 40),
                      key.p,
                      rc == WEFT_EABSENT ? "no such field" : "bad value");
    }
    rc = rc ? rc : weft_label_check (&put->label, why);
    if (rc)
        refuse (self, entry, why);
    else
        self->entries[self->n++] = entry;
}

static void
end_label (turn_t *self, size_t i)
{
    weft_label_verdict_t verdict = self->puts[i].verdict;
    self->counts->added += verdict == WEFT_LABEL_ADDED;
    self->counts->known += verdict == WEFT_LABEL_KNOWN;
    if (verdict == WEFT_LABEL_ADDED || verdict == WEFT_LABEL_KNOWN)
        end_entry (self, text_at (self->entries[i], 0));
    else
        refuse (self, self->entries[i], weft_label_verdict_text (verdict));
}

static int
take (turn_t *self, weft_redis_t *redis, const weft_reply_t *entries)
{
    for (size_t i = 0; i < weft_reply_count (entries); i++)
        read_entry (self, weft_reply_at (entries, i));
    int rc = self->n ? weft_labels_put (redis, self->puts, self->n) : 0;
    for (size_t i = 0; !rc && i < self->n; i++)
        end_label (self, i);
    weft_batch_keep (self->after);
    return rc ? rc : weft_batch_run (self->after);
}

int
weft_label_stream_take (weft_redis_t *redis, weft_label_counts_t *counts)
{
    *counts = (weft_label_counts_t){ 0 };
    weft_batch_t *batch = weft_batch_new (redis, 0);
    turn_t *turn = calloc (1, sizeof (*turn));
    if (turn)
        turn->after = weft_batch_new (redis, 0);
    int rc = batch && turn && turn->after ? 0 : WEFT_ENOMEM;
    if (!rc) {
        turn->counts = counts;
        weft_batch_words (batch, "XRANGE", "label:in", "-", "+", "COUNT",
                          "256");
        rc = weft_batch_run (batch);
    }
    if (!rc && weft_reply_count (weft_batch_reply (batch, 0)))
        rc = take (turn, redis, weft_batch_reply (batch, 0));
    if (turn)
        weft_batch_destroy (&turn->after);
    weft_batch_destroy (&batch);
    free (turn);
    return rc;
}
