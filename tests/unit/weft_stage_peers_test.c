//  Which workers a stage lets in, by the contracts that they read; and how long
//  it may wait without losing them.

#include "testing.h"

#include <unistd.h>

#include "weft_stage_parts.h"

static int
admit (const char *writes, const char *first, const char *second)
{
    weft_stage_spec_t spec = { .name = "stage", .writes = writes };
    weft_stage_t *stage = calloc (1, sizeof *stage);
    weft_link_frame_t hello = { .type = WEFT_LINK_HELLO };
    const char *const reads[] = { first, second };
    const char *why = NULL;
    assert_non_null (stage);
    stage->spec = &spec;
    for (int i = 0; i < 2 && reads[i]; i++)
        hello.contracts[hello.contract_count++] = weft_link_text (reads[i]);
    int code = weft_stage_upstream_ops.admit (stage, &hello, &why);
    assert_int_equal (code == 0, why == NULL);
    free (stage);
    return code;
}

static void
one_version (void **state)
{
    (void)state;
    assert_int_equal (admit ("some.v1", "some.v1", NULL), 0);
    assert_int_equal (admit ("some.v1", "some.v2", NULL), WEFT_REFUSE_CONTRACT);
    assert_int_equal (admit ("some.v1", "other.v2", NULL), 0);
    assert_int_equal (admit ("some.v1", "some", NULL), 0);
    assert_int_equal (admit ("some.v1", NULL, NULL), 0);
    assert_int_equal (admit (NULL, "some.v2", NULL), 0);
}

//  One that reads the version before, too, comes in before its upstream is
//  renewed, and after.
static void
two_versions (void **state)
{
    (void)state;
    assert_int_equal (admit ("some.v1", "some.v2", "some.v1"), 0);
    assert_int_equal (admit ("some.v2", "some.v2", "some.v1"), 0);
    assert_int_equal (admit ("some.v3", "some.v2", "some.v1"),
                      WEFT_REFUSE_CONTRACT);
}

//  Three silent beats, and they are gone: for a Redis that hangs nobody may be
//  given up.
static void
redis_is_waited_for_less_than_workers_wait (void **state)
{
    (void)state;
    weft_settings_t settings = { .link.beat_ms = 250 };
    weft_stage_env_t env = { .settings = &settings };
    for (; settings.link.beat_ms <= 10000; settings.link.beat_ms *= 2) {
        weft_redis_config_t config = weft_stage_redis_patience (&env);
        assert_in_range (config.command_ms, 1, 3 * settings.link.beat_ms - 1);
        assert_in_range (config.connect_ms, 1, 3 * settings.link.beat_ms - 1);
    }
}

//  Keys that claim to be other stages, and peers that are ignored, cause no
//  flood of lines; the counters count them all.
static void
refusals_are_no_flood_of_lines (void **state)
{
    (void)state;
    weft_log_quota_t quota = { 0 };
    unsigned said = 0;
    for (int64_t ms = 5000; ms < 8000; ms++)
        said += weft_log_may (&quota, "LINK-PEERS-REFUSED", ms);
    assert_int_equal (said, 3 * WEFT_LOG_A_SECOND);
    assert_int_equal (quota.unsaid, 1000 - WEFT_LOG_A_SECOND);

    weft_stage_t *stage = calloc (1, sizeof *stage);
    weft_link_event_t event = { .id = WEFT_LINK_EVENT_REFUSED,
                                .code = WEFT_REFUSE_KEY,
                                .text = "this key is not one of that stage" };
    assert_non_null (stage);
    stage->now = 5000;
    for (int i = 0; i < 1000; i++)
        weft_stage_upstream_ops.event (stage, &event);
    assert_int_equal (stage->bad_peers.unsaid, 1000 - WEFT_LOG_A_SECOND);
    free (stage);
}

//  Times, sizes and numbers are no alerts.
static void
events_say_what_they_count (void **state)
{
    (void)state;
    static const struct {
        weft_link_event_id_t id;
        const char *said;
    } events[] = {
        { WEFT_LINK_EVENT_AWAY, "7 ms" },
        { WEFT_LINK_EVENT_TOO_BIG, "7 bytes" },
        { WEFT_LINK_EVENT_CONVICTED, "alert number 7" },
        { WEFT_LINK_EVENT_HELD, "7 rejects" },
        { WEFT_LINK_EVENT_WELCOMED, "7 now" },
        { WEFT_LINK_EVENT_REFUSED, "" },
        { WEFT_LINK_EVENT_REPAIRED, "" },
        { WEFT_LINK_EVENT_PEER_LOST, "7 alerts" },
        { WEFT_LINK_EVENT_REJECTED, "7 alerts" },
    };
    for (size_t i = 0; i < WEFT_COUNT (events); i++) {
        weft_link_event_t event = { .id = events[i].id, .value = 7 };
        char said[WEFT_LINK_EVENT_MEASURE];
        weft_link_event_measure (&event, said);
        assert_string_equal (said, events[i].said);
    }
}

//  ... and so does the log.
static void
the_log_says_so_too (void **state)
{
    (void)state;
    char line[1024] = "";
    weft_stage_t *stage = calloc (1, sizeof *stage);
    FILE *file = tmpfile ();
    int old = dup (STDERR_FILENO);
    const weft_link_event_t away = { .id = WEFT_LINK_EVENT_AWAY,
                                     .value = 1234,
                                     .text = "upstream end" };
    assert_non_null (stage);
    assert_non_null (file);
    fflush (stderr);
    assert_true (old >= 0 && dup2 (fileno (file), STDERR_FILENO) >= 0);
    weft_stage_upstream_ops.event (stage, &away);
    fflush (stderr);
    dup2 (old, STDERR_FILENO);
    close (old);
    rewind (file);
    assert_non_null (fgets (line, sizeof line, file));
    fclose (file);
    free (stage);
    if (!strstr (line, "peer 0, stage -, 1234 ms: upstream end"))
        fail_msg ("said: %s", line);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (one_version),
        cmocka_unit_test (events_say_what_they_count),
        cmocka_unit_test (the_log_says_so_too),
        cmocka_unit_test (two_versions),
        cmocka_unit_test (refusals_are_no_flood_of_lines),
        cmocka_unit_test (redis_is_waited_for_less_than_workers_wait),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
