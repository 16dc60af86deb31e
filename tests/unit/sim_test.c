//  The simulator: the same seed is the same season, whatever the locale and
//  the clock; what it writes is consistent with itself.

#include <locale.h>
#include <math.h>
#include <unistd.h>

#include "unit/testing.h"

#include "sim_season.h"
#include "weft_hash.h"

#define GOLDEN "a26c8199d8b17515"

static void
functions_agree_with_the_library (void **state)
{
    (void)state;
    for (int i = -2000; i <= 2000; i++) {
        double x = i * 0.0173;
        assert_true (fabs (sim_exp (x) / exp (x) - 1) < 1e-14);
        assert_true (fabs (sim_sin (x * 50) - sin (x * 50)) < 1e-12);
        assert_true (fabs (sim_cos (x * 50) - cos (x * 50)) < 1e-12);
        double y = exp (x);
        assert_true (fabs (sim_log (y) - log (y)) < 1e-14 * (1 + fabs (x)));
    }
    assert_true (fabs (sim_mag_of_flux (sim_flux_of_mag (19.5)) - 19.5) <
                 1e-12);
}

static sim_options_t
small_season (uint64_t seed)
{
    sim_options_t options = sim_defaults;
    options.seed = seed;
    options.alerts = 300;
    options.malformed = SIM_DAMAGES;
    options.duplicates = 0.05;
    options.reissued = 0.05;
    return options;
}

static uint64_t
add_table (const sim_t *sim, int (*write) (const sim_t *sim, FILE *file))
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream (&text, &size);
    assert_non_null (file);
    assert_int_equal (write (sim, file), 0);
    fclose (file);
    uint64_t hash = weft_hash (text, size);
    free (text);
    return hash;
}

//  One number for everything that a season writes.
static uint64_t
hash_season (const sim_options_t *options)
{
    sim_t *sim = sim_new (options);
    assert_non_null (sim);
    sim_packet_t packet;
    uint64_t hash = 0;
    int rc;
    while ((rc = sim_next (sim, &packet)) == 0)
        hash = weft_hash_u64 (hash ^ weft_hash (packet.data, packet.size));
    assert_int_equal (rc, WEFT_ENOENT);
    hash = weft_hash_u64 (hash ^ add_table (sim, sim_write_truth));
    hash = weft_hash_u64 (hash ^ add_table (sim, sim_write_catalog));
    hash = weft_hash_u64 (hash ^ add_table (sim, sim_write_summary));
    sim_destroy (&sim);
    assert_null (sim);
    return hash;
}

static void
a_seed_is_a_season (void **state)
{
    (void)state;
    sim_options_t options = small_season (42);
    uint64_t hash = hash_season (&options);
    //  A locale with a decimal comma, if the machine has one.
    setlocale (LC_ALL, "de_DE.UTF-8");
    assert_true (hash_season (&options) == hash);
    setlocale (LC_ALL, "C");
    options = small_season (43);
    assert_true (hash_season (&options) != hash);
}

//  The bytes of one season, once and for all machines. It changes when the
//  simulator does: then look twice, and write the new one down.
static void
the_bytes_are_the_same_everywhere (void **state)
{
    (void)state;
    sim_options_t options = small_season (42);
    char text[17];
    uint64_t hash = hash_season (&options);
    snprintf (text, sizeof text, "%016llx", (unsigned long long)hash);
    assert_string_equal (text, GOLDEN);
}

static void
packets_are_counted (void **state)
{
    (void)state;
    sim_options_t options = small_season (7);
    sim_t *sim = sim_new (&options);
    assert_non_null (sim);
    uint32_t kinds[4] = { 0 }, n = 0;
    int32_t night = 0;
    sim_packet_t packet;
    while (sim_next (sim, &packet) == 0) {
        assert_int_equal (packet.position, n++);
        kinds[packet.kind]++;
        if (packet.kind == SIM_PACKET_FRESH) {
            assert_true (packet.night >= night);
            night = packet.night;
        }
        assert_true ((packet.damage != NULL) ==
                     (packet.kind == SIM_PACKET_MALFORMED));
    }
    assert_int_equal (n, sim_packets (sim));
    assert_int_equal (kinds[SIM_PACKET_FRESH], 300);
    assert_true (kinds[SIM_PACKET_DUPLICATE] > 0);
    assert_true (kinds[SIM_PACKET_REISSUED] > 0);
    assert_int_equal (kinds[SIM_PACKET_MALFORMED], SIM_DAMAGES);
    sim_destroy (&sim);
}

//  Ids are positive, never used twice, and 64 bits wide as the survey's are.
static void
ids_are_unique (void **state)
{
    (void)state;
    sim_options_t options = sim_defaults;
    options.alerts = 4000;
    options.stamps = SIM_STAMPS_NONE;
    sim_t *sim = sim_new (&options);
    assert_non_null (sim);
    for (uint32_t i = 0; i < sim->n_alerts; i++) {
        const sim_alert_t *a = &sim->alerts[i];
        int64_t id =
            sim_packet_candid (&sim->sky, &sim->objects[a->object], a->at);
        assert_true (id > INT64_C (2000000000000000000));
        for (uint32_t k = i; k-- > 0 && sim->alerts[k].jd > a->jd - 0.01;) {
            const sim_alert_t *b = &sim->alerts[k];
            assert_true (id != sim_packet_candid (
                                   &sim->sky, &sim->objects[b->object], b->at));
        }
    }
    for (sim_class_t i = 0; i < SIM_N_CLASSES; i++)
        assert_true (sim->class_alerts[i] >
                     0.7 * sim_class_share (i) * options.alerts);
    sim_destroy (&sim);
}

//  History: inside thirty days, before the alert, rounded, with the words of
//  the survey; the memory beyond it never smaller.
static void
history_looks_back (void **state)
{
    (void)state;
    sim_options_t options = small_season (11);
    sim_t *sim = sim_new (&options);
    assert_non_null (sim);
    const sim_record_t *record = &sim->maker->record;
    sim_packet_t packet;
    while (sim_next (sim, &packet) == 0) {
        const sim_candidate_t *c = &record->candidate;
        int32_t detections = 1;
        assert_true (c->isdiffpos[0] == 't' || c->isdiffpos[0] == 'f');
        for (uint32_t i = 0; i < record->n_prv; i++) {
            const sim_prv_t *row = &record->prv[i];
            assert_true (row->jd < c->jd && row->jd >= c->jd - 30);
            assert_true (isnan (row->magpsf) == (row->candid == SIM_NULL_i64));
            if (isnan (row->magpsf))
                continue;
            detections++;
            assert_true (row->isdiffpos[0] == '0' || row->isdiffpos[0] == '1');
            double scaled = (double)row->magpsf * 1e4;
            assert_true (fabs (scaled - floor (scaled + 0.5)) < 0.02);
        }
        for (uint32_t i = 0; i < record->n_fp; i++)
            assert_true (record->fp[i].jd < c->jd);
        assert_true (c->ndethist >= detections && c->ncovhist >= c->ndethist);
        assert_true (c->jdstarthist <= c->jd && c->jdendhist == c->jd);
    }
    sim_destroy (&sim);
}

static void
bad_options_are_refused (void **state)
{
    (void)state;
    sim_options_t options = sim_defaults;
    options.alerts = 0;
    assert_null (sim_new (&options));
    options = sim_defaults;
    options.duplicates = 1.5;
    assert_null (sim_new (&options));
    options = sim_defaults;
    options.nights = 1;
    assert_null (sim_new (&options));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (functions_agree_with_the_library),
        cmocka_unit_test (a_seed_is_a_season),
        cmocka_unit_test (the_bytes_are_the_same_everywhere),
        cmocka_unit_test (packets_are_counted),
        cmocka_unit_test (ids_are_unique),
        cmocka_unit_test (history_looks_back),
        cmocka_unit_test (bad_options_are_refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
