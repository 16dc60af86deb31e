//  weft_store_test.c - claims, models, registry, pool and rows.

#include "../unit/testing.h"

#include "redis_private.h"
#include "weft_claim.h"
#include "weft_contracts.h"
#include "weft_log.h"
#include "weft_models.h"
#include "weft_pool.h"
#include "weft_registry_store.h"
#include "weft_rows.h"

static redis_private_t server;
static weft_redis_t *redis;

static void
a_claim_has_one_holder (void **state)
{
    (void)state;
    bool won = false;
    char holder[32];
    assert_int_equal (weft_claim (redis, "budget:61000", "a", 60, &won, holder,
                                  sizeof holder),
                      0);
    assert_true (won);
    assert_int_equal (weft_claim (redis, "budget:61000", "b", 60, &won, holder,
                                  sizeof holder),
                      0);
    assert_false (won);
    assert_string_equal (holder, "a");
    assert_int_equal (
        weft_claim (redis, "budget:61000", "a", 60, &won, NULL, 0), 0);
    assert_true (won);  //  asking again is the same claim
    assert_int_equal (weft_claim_release (redis, "budget:61000", "b"), 0);
    assert_int_equal (weft_claim_release (redis, "budget:61000", "a"), 0);
    assert_int_equal (weft_claim (redis, "budget:61000", "b", 0, &won, NULL, 0),
                      0);
    assert_true (won);
}

static void
publish (const char *name, const char *version, double at, const char *blob)
{
    weft_model_v1_t model;
    weft_buf_t buf;
    weft_buf_init (&buf, 65536);
    weft_contract_clear (&weft_model_v1, &model);
    WEFT_SET (model_v1, &model, name, weft_str (name));
    WEFT_SET (model_v1, &model, version, weft_str (version));
    WEFT_SET (model_v1, &model, format, weft_str ("ubj"));
    WEFT_SET (model_v1, &model, set, 1);
    WEFT_SET (model_v1, &model, features, weft_str ("a,b"));
    WEFT_SET (model_v1, &model, classes, weft_str ("sn,agn"));
    WEFT_SET (model_v1, &model, calibration, weft_str ("none"));
    WEFT_SET (model_v1, &model, created_at, at);
    weft_bin_t bytes = { (const uint8_t *)blob, (uint32_t)strlen (blob) };
    WEFT_SET (model_v1, &model, blob, bytes);
    assert_int_equal (weft_contract_encode (&weft_model_v1, &model, &buf), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal (weft_model_publish (redis, buf.data, buf.size), 0);
    weft_buf_fini (&buf);
}

typedef struct {
    int n;
    char text[512];
} seen_t;

static void
note_model (void *arg, const weft_model_row_t *row)
{
    seen_t *seen = arg;
    size_t at = strlen (seen->text);
    snprintf (seen->text + at, sizeof seen->text - at, "%s#%d@%g%s%s%s%s ",
              row->version, (int)row->number, row->created_at,
              row->live ? "*" : "", row->candidate ? "+" : "",
              row->refused ? "!" : "", row->refused ? row->refused : "");
    seen->n++;
}

//  As the learner does it.
static void
set_candidate (const char *name, const char *version)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    assert_non_null (batch);
    weft_batch_begin (batch, version ? 3 : 2);
    weft_batch_str (batch, version ? "SET" : "DEL");
    weft_batch_argf (batch, "model:%s:candidate", name);
    if (version)
        weft_batch_str (batch, version);
    assert_int_equal (weft_batch_run (batch), 0);
    weft_batch_destroy (&batch);
}

static void
note_name (void *arg, const char *name)
{
    seen_t *seen = arg;
    size_t at = strlen (seen->text);
    snprintf (seen->text + at, sizeof seen->text - at, "%s ", name);
}

static void
models_are_published_and_listed (void **state)
{
    (void)state;
    weft_buf_t out;
    weft_model_v1_t model;
    weft_buf_init (&out, WEFT_MODEL_MOST);
    assert_int_equal (weft_model_get (redis, "forest", "v1", &out),
                      WEFT_ENOENT);
    publish ("forest", "v2", 61002, "two");
    publish ("forest", "v1", 61001, "one");
    publish ("forest", "v2", 61003, "never the same");  //  the first one stands
    assert_int_equal (weft_model_get (redis, "forest", "v2", &out), 0);
    assert_int_equal (
        weft_contract_decode (&weft_model_v1, &model, out.data, out.size), 0);
    assert_memory_equal (model.blob.p, "two", 3);
    assert_int_equal (weft_model_refuse (redis, "forest", "v1", "too old"), 0);
    set_candidate ("forest", "v9");
    seen_t seen = { 0 };
    assert_int_equal (weft_model_list (redis, "forest", note_model, &seen), 0);
    assert_string_equal (seen.text, "v9#0@0+ v2#1@61002 v1#2@61001!too old ");
    assert_int_equal (weft_model_refuse (redis, "forest", "v1", NULL), 0);
    set_candidate ("forest", NULL);
    seen = (seen_t){ 0 };
    assert_int_equal (weft_model_list (redis, "forest", note_model, &seen), 0);
    assert_string_equal (seen.text, "v2#1@61002 v1#2@61001 ");
    seen = (seen_t){ 0 };
    assert_int_equal (weft_model_names (redis, note_name, &seen), 0);
    assert_string_equal (seen.text, "forest ");
    assert_true (weft_model_publish (redis, "garbage", 7) < 0);
    weft_buf_fini (&out);
}

static void
note_move (
    void *arg, int64_t count, const char *version, double at, const char *who)
{
    seen_t *seen = arg;
    size_t used = strlen (seen->text);
    assert_true (at > 60000);
    snprintf (seen->text + used, sizeof seen->text - used, "%d=%s(%s) ",
              (int)count, version, who);
}

//  The live pointer moves by compare-and-set to newer versions, and back only
//  by that word; nothing that was decided before a move comes after it.
static void
live_pointer_moves_forward (void **state)
{
    (void)state;
    char version[WEFT_MODEL_VERSION_MOST] = "";
    weft_model_pointers_t first, at;
    assert_int_equal (weft_model_current (redis, "grove", version),
                      WEFT_ENOENT);
    publish ("grove", "a", 61001, "one");
    publish ("grove", "b", 61002, "two");
    publish ("grove", "c", 61003, "three");
    assert_int_equal (weft_model_promote (redis, "grove", NULL, "none"),
                      WEFT_ENOENT);
    assert_int_equal (weft_model_promote (redis, "grove", NULL, "numbers"),
                      WEFT_ENOENT);
    assert_int_equal (weft_model_pointers (redis, "grove", &first), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal (weft_model_promote (redis, "grove", NULL, "b"), 0);
    assert_int_equal (weft_model_promote (redis, "grove", NULL, "c"),
                      WEFT_EEXIST);
    //  An older trainer does not overwrite a newer version.
    assert_int_equal (weft_model_promote (redis, "grove", "b", "a"),
                      WEFT_ERANGE);
    assert_int_equal (weft_model_pointers (redis, "grove", &at), 0);
    assert_int_equal (weft_model_move (redis, "grove", &first, "c", "late"),
                      WEFT_EEXIST);
    //  Only what is the candidate is moved as one.
    at.candidate[0] = 'c';
    assert_int_equal (weft_model_move_candidate (redis, "grove", &at, "auto"),
                      WEFT_EEXIST);
    set_candidate ("grove", "c");
    assert_int_equal (weft_model_pointers (redis, "grove", &at), 0);
    assert_int_equal (at.candidate_number, 3);
    for (int i = 0; i < 2; i++)
        assert_int_equal (
            weft_model_move_candidate (redis, "grove", &at, "auto"), 0);
    weft_model_pointers_t before = at;
    assert_int_equal (weft_model_pointers (redis, "grove", &at), 0);
    assert_string_equal (at.live, "c");
    assert_int_equal (at.promotions, 2);
    assert_int_equal (weft_model_move_back (redis, "grove", &before, "b", "x"),
                      WEFT_EEXIST);
    for (int i = 0; i < 2; i++)
        assert_int_equal (
            weft_model_move_back (redis, "grove", &at, "b", "operator"), 0);
    //  What promoted it before is issued again, as after a break: too late.
    assert_int_equal (
        weft_model_move_candidate (redis, "grove", &before, "auto"),
        WEFT_EEXIST);
    assert_int_equal (weft_model_move (redis, "grove", &before, "c", "again"),
                      WEFT_EEXIST);
    assert_int_equal (weft_model_pointers (redis, "grove", &at), 0);
    assert_string_equal (at.live, "b");
    assert_string_equal (at.candidate, "");
    assert_int_equal (weft_model_move_back (redis, "grove", &at, "c", "x"),
                      WEFT_ERANGE);
    seen_t seen = { 0 };
    assert_int_equal (weft_model_promotions (redis, "grove", note_move, &seen),
                      0);
    assert_string_equal (seen.text, "1=b(promote) 2=c(auto) 3=b(operator) ");
}

static void
note_entry (void *arg,
            const char *stage,
            const char *uuid,
            const char *json,
            size_t size)
{
    seen_t *seen = arg;
    size_t at = strlen (seen->text);
    snprintf (seen->text + at, sizeof seen->text - at, "%s/%s=%.*s ", stage,
              uuid, (int)size, json);
    seen->n++;
}

static void
the_registry_shows_who_lives (void **state)
{
    (void)state;
    seen_t seen = { 0 };
    assert_int_equal (weft_registry_put (redis, "feature", "b", "{2}"), 0);
    assert_int_equal (weft_registry_put (redis, "feature", "a", "{1}"), 0);
    assert_int_equal (weft_registry_put (redis, "crossmatch", "c", "{3}"), 0);
    assert_int_equal (weft_registry_put (redis, "feature", "b", "{4}"), 0);
    assert_int_equal (weft_registry_remove (redis, "feature", "a"), 0);
    assert_int_equal (weft_registry_list (redis, note_entry, &seen), 0);
    assert_string_equal (seen.text, "crossmatch/c={3} feature/b={4} ");
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_batch_words (batch, "DEL", "reg:feature:b");  //  it ran out
    assert_int_equal (weft_batch_run (batch), 0);
    seen = (seen_t){ 0 };
    assert_int_equal (weft_registry_list (redis, note_entry, &seen), 0);
    assert_int_equal (seen.n, 1);
    weft_batch_destroy (&batch);
}

static void
note_candidate (void *arg, weft_str_t object, double score, weft_bin_t entry)
{
    seen_t *seen = arg;
    size_t at = strlen (seen->text);
    snprintf (seen->text + at, sizeof seen->text - at, "%.*s:%g:%.*s ",
              (int)object.n, object.p, score, (int)entry.n,
              (const char *)entry.p);
    seen->n++;
}

static weft_pool_put_t
candidate (const char *object, double order, double score, const char *entry)
{
    return (weft_pool_put_t){ weft_str (object), order, score, entry,
                              strlen (entry) };
}

static void
the_pool_keeps_the_newest_and_the_best (void **state)
{
    (void)state;
    weft_pool_put_t puts[] = {
        candidate ("a", 1, 0.5, "a1"),   candidate ("b", 1, 0.9, "b1"),
        candidate ("c", 1, -0.1, "c1"),  candidate ("a", 2, 0.7, "a2"),
        candidate ("b", 0.5, 0.1, "b0"),  //  older: does not replace
    };
    for (int i = 0; i < 2; i++)
        assert_int_equal (weft_pool_put (redis, "main", puts, 5, 10), 0);
    seen_t seen = { 0 };
    assert_int_equal (weft_pool_top (redis, "main", 10, note_candidate, &seen),
                      0);
    assert_string_equal (seen.text, "b:0.9:b1 a:0.7:a2 c:-0.1:c1 ");
    weft_pool_put_t more = candidate ("d", 1, 0.8, "d1");
    assert_int_equal (weft_pool_put (redis, "main", &more, 1, 2), 0);
    uint64_t size = 0;
    assert_int_equal (weft_pool_size (redis, "main", &size), 0);
    assert_int_equal (size, 2);
    weft_str_t gone = weft_str ("b");
    assert_int_equal (weft_pool_remove (redis, "main", &gone, 1), 0);
    seen = (seen_t){ 0 };
    assert_int_equal (weft_pool_top (redis, "main", 1, note_candidate, &seen),
                      0);
    assert_string_equal (seen.text, "d:0.8:d1 ");
    more.score = 0.0 / 0.0;
    assert_int_equal (weft_pool_put (redis, "main", &more, 1, 2), WEFT_ERANGE);
}

static void
note_row (void *arg, uint64_t number, weft_str_t id, weft_bin_t row)
{
    seen_t *seen = arg;
    size_t at = strlen (seen->text);
    snprintf (seen->text + at, sizeof seen->text - at, "%d:%.*s=%.*s ",
              (int)number, (int)id.n, id.p, (int)row.n, (const char *)row.p);
    seen->n++;
}

static void
rows_never_change_and_are_followed (void **state)
{
    (void)state;
    weft_row_put_t rows[2] = { { weft_str ("x"), "1", 1, false },
                               { weft_str ("y"), "2", 1, false } };
    assert_int_equal (weft_rows_put (redis, "label", rows, 2), 0);
    assert_true (rows[0].fresh);
    rows[0].row = "9";
    assert_int_equal (weft_rows_put (redis, "label", rows, 2), 0);
    assert_false (rows[0].fresh);
    seen_t seen = { 0 };
    uint64_t last = 0;
    assert_int_equal (
        weft_rows_since (redis, "label", 0, 1, note_row, &seen, &last), 0);
    assert_string_equal (seen.text, "1:x=1 ");
    weft_row_put_t late = { weft_str ("z"), "3", 1, false };
    assert_int_equal (weft_rows_put (redis, "label", &late, 1), 0);
    assert_int_equal (
        weft_rows_since (redis, "label", last, 9, note_row, &seen, &last), 0);
    assert_string_equal (seen.text, "1:x=1 2:y=2 3:z=3 ");
    assert_int_equal (last, 3);
    assert_int_equal (weft_rows_close (redis, "label", weft_str ("y")), 0);
    seen = (seen_t){ 0 };
    assert_int_equal (weft_rows_open (redis, "label", 9, note_row, &seen), 0);
    assert_string_equal (seen.text, "1:x=1 3:z=3 ");
    seen = (seen_t){ 0 };
    assert_int_equal (
        weft_rows_get (redis, "label", weft_str ("y"), note_row, &seen), 0);
    assert_string_equal (seen.text, "0:y=2 ");
    assert_int_equal (
        weft_rows_get (redis, "label", weft_str ("q"), note_row, &seen),
        WEFT_ENOENT);
}

static int
start (void **state)
{
    (void)state;
    weft_log_init ("test", WEFT_ERROR);
    redis_private_start (&server);
    redis = weft_redis_new (server.address, NULL);
    return 0;
}

static int
stop (void **state)
{
    (void)state;
    weft_redis_destroy (&redis);
    redis_private_stop (&server);
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_claim_has_one_holder),
        cmocka_unit_test (models_are_published_and_listed),
        cmocka_unit_test (live_pointer_moves_forward),
        cmocka_unit_test (the_registry_shows_who_lives),
        cmocka_unit_test (the_pool_keeps_the_newest_and_the_best),
        cmocka_unit_test (rows_never_change_and_are_followed),
    };
    return cmocka_run_group_tests (tests, start, stop);
}
