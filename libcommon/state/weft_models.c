//  weft_models.c - model sections, and the lists of them.

#include "weft_models.h"

#include "weft_contracts.h"

#define LIST_MOST 4096  //  versions of one name that are listed

//  KEYS: the version's section, numbers, versions, names. ARGV: section,
//  version, created_at, name. Issuing it again finds all of it there.
static const char publish_script[] =
    "redis.call ('SET', KEYS[1], ARGV[1], 'NX')\n"
    "if redis.call ('HEXISTS', KEYS[2], ARGV[2]) == 0 then\n"
    "  redis.call ('HSET', KEYS[2], ARGV[2],\n"
    "    redis.call ('HLEN', KEYS[2]) + 1)\n"
    "end\n"
    "redis.call ('ZADD', KEYS[3], 'NX', ARGV[3], ARGV[2])\n"
    "redis.call ('SADD', KEYS[4], ARGV[4])\n"
    "return 1\n";

static bool
fits_key (weft_str_t text)
{
    return text.n > 0 && text.n < WEFT_MODEL_VERSION_MOST;
}

//  These keys of a model are not versions.
static bool
is_taken (weft_str_t version)
{
    static const char *const taken[] = { "current",    "versions",  "numbers",
                                         "trained",    "candidate", "refused",
                                         "promotions", "moves",     "shadows",
                                         "test" };
    for (size_t i = 0; i < WEFT_COUNT (taken); i++)
        if (weft_str_is (version, taken[i]))
            return true;
    return false;
}

static void
ask_publish (weft_batch_t *batch,
             const weft_model_v1_t *model,
             const void *section,
             size_t size)
{
    int n = (int)model->name.n;
    weft_batch_script (batch, publish_script, 4, 4);
    weft_batch_argf (batch, "model:%.*s:%.*s", n, model->name.p,
                     (int)model->version.n, model->version.p);
    weft_batch_argf (batch, "model:%.*s:numbers", n, model->name.p);
    weft_batch_argf (batch, "model:%.*s:versions", n, model->name.p);
    weft_batch_str (batch, "models");
    weft_batch_arg (batch, section, size);
    weft_batch_arg (batch, model->version.p, model->version.n);
    weft_batch_argf (batch, "%.17g", model->created_at);
    weft_batch_arg (batch, model->name.p, model->name.n);
}

int
weft_model_publish (weft_redis_t *redis, const void *section, size_t size)
{
    weft_model_v1_t model;
    if (size > WEFT_MODEL_MOST)
        return WEFT_ETOOBIG;
    int rc = weft_contract_decode (&weft_model_v1, &model, section, size);
    if (rc)
        return rc;
    if (!fits_key (model.name) || !fits_key (model.version) ||
        is_taken (model.version))
        return WEFT_EMALFORMED;
    weft_batch_t *batch = weft_batch_new (redis, WEFT_MODEL_MOST + 4096);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_keep (batch);
    ask_publish (batch, &model, section, size);
    weft_model_retain (batch, model.name);
    rc = weft_batch_run (batch);
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_model_get (weft_redis_t *redis,
                const char *name,
                const char *version,
                weft_buf_t *out)
{
    weft_buf_clear (out);
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_begin (batch, 2);
    weft_batch_str (batch, "GET");
    weft_batch_argf (batch, "model:%s:%s", name, version);
    int rc = weft_batch_run (batch);
    if (rc == 0) {
        weft_bin_t section = weft_reply_bytes (weft_batch_reply (batch, 0));
        if (section.p)
            weft_buf_add (out, section.p, section.n);
        rc = section.p ? out->error : WEFT_ENOENT;
    }
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_model_refuse (weft_redis_t *redis,
                   const char *name,
                   const char *version,
                   const char *reason)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_keep (batch);
    weft_batch_begin (batch, reason ? 4 : 3);
    weft_batch_str (batch, reason ? "HSET" : "HDEL");
    weft_batch_argf (batch, "model:%s:refused", name);
    weft_batch_str (batch, version);
    if (reason)
        weft_batch_str (batch, reason);
    int rc = weft_batch_run (batch);
    weft_batch_destroy (&batch);
    return rc;
}

//  A reply's bytes as a string, cut to fit.
static void
copy_text (const weft_reply_t *reply, char *out, size_t room)
{
    weft_bin_t bytes = weft_reply_bytes (reply);
    weft_str_copy ((weft_str_t){ (const char *)bytes.p, bytes.n }, out, room);
}

//  The value of a field in the reply of HGETALL, NULL if it is not there.
static const weft_reply_t *
find_field (const weft_reply_t *hash, const char *field)
{
    for (size_t i = 0; i + 1 < weft_reply_count (hash); i += 2) {
        weft_bin_t key = weft_reply_bytes (weft_reply_at (hash, i));
        if (weft_str_is ((weft_str_t){ (const char *)key.p, key.n }, field))
            return weft_reply_at (hash, i + 1);
    }
    return NULL;
}

//  One version as it is given to `each`, with room for its texts.
typedef struct {
    weft_model_row_t row;
    char version[WEFT_MODEL_VERSION_MOST];
    char reason[WEFT_MODEL_REASON_MOST];
} entry_t;

enum { CURRENT, CANDIDATE, VERSIONS, NUMBERS, REFUSED, ASKED };

static void
fill_entry (entry_t *entry, const weft_batch_t *batch)
{
    char pointer[2][WEFT_MODEL_VERSION_MOST];
    weft_model_row_t *row = &entry->row;
    const weft_reply_t *refused =
        find_field (weft_batch_reply (batch, REFUSED), entry->version);
    copy_text (weft_batch_reply (batch, CURRENT), pointer[0],
               sizeof (pointer[0]));
    copy_text (weft_batch_reply (batch, CANDIDATE), pointer[1],
               sizeof (pointer[1]));
    row->version = entry->version;
    const weft_reply_t *number =
        find_field (weft_batch_reply (batch, NUMBERS), entry->version);
    row->number = number ? weft_reply_int (number, 0) : 0;
    row->live = !strcmp (entry->version, pointer[0]);
    row->candidate = !strcmp (entry->version, pointer[1]);
    if (refused)
        copy_text (refused, entry->reason, sizeof (entry->reason));
    row->refused = refused ? entry->reason : NULL;
}

static int
by_number (const void *a, const void *b)
{
    const weft_model_row_t *x = &((const entry_t *)a)->row;
    const weft_model_row_t *y = &((const entry_t *)b)->row;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (x->created_at > y->created_at) - (x->created_at < y->created_at);
}

static bool
is_among (const entry_t *entries, size_t n, const char *version)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp (entries[i].version, version))
            return true;
    return false;
}

//  The versions of the list, then pointers to nothing. Returns how many.
static size_t
gather (const weft_batch_t *batch, entry_t *entries)
{
    size_t n = 0;
    const weft_reply_t *list = weft_batch_reply (batch, VERSIONS);
    for (size_t i = 0; i + 1 < weft_reply_count (list) && n < LIST_MOST;
         i += 2) {
        entry_t *entry = &entries[n++];
        weft_bin_t at = weft_reply_bytes (weft_reply_at (list, i + 1));
        copy_text (weft_reply_at (list, i), entry->version,
                   sizeof (entry->version));
        entry->row.created_at = at.p ? strtod ((const char *)at.p, NULL) : 0;
        fill_entry (entry, batch);
    }
    for (size_t which = CURRENT; which <= CANDIDATE; which++) {
        entry_t *entry = &entries[n];
        copy_text (weft_batch_reply (batch, which), entry->version,
                   sizeof (entry->version));
        if (!entry->version[0] || is_among (entries, n, entry->version))
            continue;
        fill_entry (entry, batch);
        n++;
    }
    qsort (entries, n, sizeof (*entries), by_number);
    return n;
}

static void
ask_list (weft_batch_t *batch, const char *name)
{
    static const char *const commands[ASKED][2] = {
        [CURRENT] = { "GET", "current" },
        [CANDIDATE] = { "GET", "candidate" },
        [VERSIONS] = { "ZRANGE", "versions" },
        [NUMBERS] = { "HGETALL", "numbers" },
        [REFUSED] = { "HGETALL", "refused" },
    };
    for (size_t i = 0; i < ASKED; i++) {
        weft_batch_begin (batch, i == VERSIONS ? 5 : 2);
        weft_batch_str (batch, commands[i][0]);
        weft_batch_argf (batch, "model:%s:%s", name, commands[i][1]);
        if (i != VERSIONS)
            continue;
        weft_batch_str (batch, "0");
        weft_batch_str (batch, "-1");
        weft_batch_str (batch, "WITHSCORES");
    }
}

int
weft_model_list (weft_redis_t *redis,
                 const char *name,
                 void (*each) (void *arg, const weft_model_row_t *row),
                 void *arg)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    entry_t *entries = calloc (LIST_MOST + 2, sizeof (*entries));
    int rc = batch && entries ? 0 : WEFT_ENOMEM;
    if (!rc) {
        ask_list (batch, name);
        rc = weft_batch_run (batch);
    }
    size_t n = rc ? 0 : gather (batch, entries);
    for (size_t i = 0; i < n; i++) {
        //  They were sorted: the texts have moved with their rows.
        entries[i].row.version = entries[i].version;
        if (entries[i].row.refused)
            entries[i].row.refused = entries[i].reason;
        each (arg, &entries[i].row);
    }
    free (entries);
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_model_names (weft_redis_t *redis,
                  void (*each) (void *arg, const char *name),
                  void *arg)
{
    char name[WEFT_MODEL_VERSION_MOST];
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_words (batch, "SORT", "models", "ALPHA");
    int rc = weft_batch_run (batch);
    const weft_reply_t *list = rc ? NULL : weft_batch_reply (batch, 0);
    for (size_t i = 0; list && i < weft_reply_count (list); i++) {
        copy_text (weft_reply_at (list, i), name, sizeof (name));
        each (arg, name);
    }
    weft_batch_destroy (&batch);
    return rc;
}
