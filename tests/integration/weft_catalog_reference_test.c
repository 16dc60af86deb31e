//  Real catalogues: what other brokers and CDS found must be found.
//
//  Needs the pack catalogs; skipped without it.

#include "unit/testing.h"

#include <math.h>

#include "integration/packs.h"
#include "weft_angle.h"
#include "weft_catalog.h"
#include "weft_csv.h"

#define PACK "build/data/catalogs/catalogs/"
#define FINK PACK "astrolabsoftware+fink-science/"
#define CDS PACK "alercebroker+pipeline/xmatch_step/tests/data/xmatch_client/"
#define ARCSEC 3600.0

static weft_catalog_t *
load (const char *path, const weft_catalog_plan_t *plan, uint32_t rows)
{
    char why[256];
    weft_catalog_t *catalog;
    if (weft_catalog_load (&catalog, plan, path, why, sizeof why))
        print_error ("%s: %s\n", path, why);
    assert_non_null (catalog);
    uint64_t lines[WEFT_CATALOG_BAD];
    print_message ("%s: %u rows, %llu bad\n", path, weft_catalog_rows (catalog),
                   (unsigned long long)weft_catalog_bad (catalog, lines));
    assert_true (weft_catalog_rows (catalog) >= rows);
    return catalog;
}

//  The nearest source within the radius is this far away, and is this one.
static void
nearest (const weft_catalog_t *catalog,
         double ra,
         double dec,
         double radius_arcsec,
         double separation_arcsec,
         weft_catalog_row_t *row)
{
    weft_sky_hit_t hit;
    uint32_t found;
    assert_int_equal (weft_sky_cone (weft_catalog_sky (catalog), ra, dec,
                                     radius_arcsec / ARCSEC, &hit, 1, &found),
                      1);
    print_message ("%.6f\"\n", hit.separation * ARCSEC);
    assert_true (fabs (hit.separation * ARCSEC - separation_arcsec) < 5e-4);
    weft_catalog_row (catalog, hit.row, row);
}

static void
gcvs_finds_the_rr_lyrae (void **state)
{
    (void)state;
    const weft_catalog_plan_t plan = { .ra = "ra",
                                       .dec = "dec",
                                       .type = "VarType",
                                       .delimiter = ',',
                                       .header = true,
                                       .radius = 1.5 / ARCSEC };
    weft_catalog_t *catalog = load (FINK "gcvs.csv", &plan, 59000);
    weft_catalog_row_t row;
    nearest (catalog, 101.3520545, 24.5421872, 1.5, 0.462, &row);
    assert_true (weft_str_is (row.type, "RR"));
    weft_catalog_destroy (&catalog);
}

static void
blazars_in_sexagesimal (void **state)
{
    (void)state;
    const weft_catalog_plan_t plan = { .ra = "R.A.",
                                       .dec = "Dec",
                                       .id = "3HSP Source name",
                                       .delimiter = ',',
                                       .header = true,
                                       .sexagesimal = true,
                                       .radius = 60 / ARCSEC };
    weft_catalog_t *catalog =
        load (FINK "fink_science/data/catalogs/3hsp.csv", &plan, 2013);
    weft_catalog_row_t row;
    nearest (catalog, 0.31820833, 29.59277778, 60, 0.00001, &row);
    assert_true (weft_str_is (row.id, "3HSPJ000116.4+293534"));
    weft_catalog_destroy (&catalog);
}

static void
galaxies_with_semicolons (void **state)
{
    (void)state;
    const weft_catalog_plan_t plan = { .ra = "RA",
                                       .dec = "Dec",
                                       .id = "Name",
                                       .type = "Type",
                                       .mag = "B-Mag",
                                       .z = "Redshift",
                                       .delimiter = ';',
                                       .header = true,
                                       .sexagesimal = true,
                                       .radius = 60 / ARCSEC };
    weft_catalog_t *catalog =
        load (PACK "mattiaverga+OpenNGC/database_files/NGC.csv", &plan, 13000);
    weft_catalog_row_t row;
    nearest (catalog, 198.955536, 42.029289, 60, 0.043, &row);
    assert_true (weft_str_is (row.id, "NGC5055"));
    assert_true (weft_str_is (row.type, "G"));
    assert_true (fabs (row.z - 0.001678) < 1e-7);
    weft_catalog_destroy (&catalog);
}

static void
fermi_sources (void **state)
{
    (void)state;
    const weft_catalog_plan_t plan = { .ra = "ra",
                                       .dec = "dec",
                                       .id = "name",
                                       .delimiter = ',',
                                       .header = true,
                                       .radius = 60 / ARCSEC };
    weft_catalog_t *catalog =
        load (PACK "skyportal+skyportal/data/gll_psc_v27.csv", &plan, 3600);
    weft_catalog_row_t row;
    nearest (catalog, 0.3126, 47.6859, 60, 0, &row);
    assert_true (weft_str_is (row.id, "4FGL J0001.2+4741"));
    weft_catalog_destroy (&catalog);
}

//  CDS' answers as a catalogue: each names the position that it answers.
static double
number (const weft_csv_t *csv, uint32_t column)
{
    double value;
    assert_true (weft_angle_number (csv->fields[column], &value));
    return value;
}

typedef struct {
    int rows, missed, other;
    double worst;
} answers_t;

//  angDist, col1, id_in, ra_in, dec_in, AllWISE, ...
static void
check_answer (const weft_catalog_t *catalog,
              const weft_csv_t *csv,
              answers_t *key)
{
    weft_sky_hit_t hit;
    weft_catalog_row_t row;
    uint32_t found;
    double expected = number (csv, 0);
    key->rows++;
    if (weft_sky_cone (weft_catalog_sky (catalog), number (csv, 3),
                       number (csv, 4), 1 / ARCSEC, &hit, 1, &found) == 0) {
        key->missed++;
        return;
    }
    weft_catalog_row (catalog, hit.row, &row);
    bool same = row.id.n == csv->fields[5].n &&
                memcmp (row.id.p, csv->fields[5].p, row.id.n) == 0;
    key->other += !same;
    if (same)
        key->worst =
            fmax (key->worst, fabs (hit.separation * ARCSEC - expected));
}

static void
allwise_agrees_with_cds (void **state)
{
    (void)state;
    const weft_catalog_plan_t plan = { .ra = "RAJ2000",
                                       .dec = "DEJ2000",
                                       .id = "AllWISE",
                                       .mag = "W1mag",
                                       .delimiter = ',',
                                       .header = true,
                                       .radius = 1 / ARCSEC };
    weft_catalog_t *catalog = load (CDS "response.csv", &plan, 1000);
    static char data[1 << 20];
    FILE *in = fopen (CDS "response.csv", "r");
    assert_non_null (in);
    size_t n = fread (data, 1, sizeof data, in);
    fclose (in);
    answers_t key = { 0 };
    weft_csv_t csv;
    weft_csv_init (&csv, data, n, ',');
    assert_int_equal (weft_csv_next (&csv), 1);
    while (weft_csv_next (&csv) == 1)
        check_answer (catalog, &csv, &key);
    print_message ("%d answers, %d missed, %d other, worst %.6f\"\n", key.rows,
                   key.missed, key.other, key.worst);
    assert_int_equal (key.rows, 1000);
    assert_int_equal (key.missed, 0);
    assert_int_equal (key.other, 0);
    assert_true (key.worst <= 0.0002);
    weft_catalog_destroy (&catalog);
}

int
main (void)
{
    if (!packs_unpack ("catalogs"))
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (gcvs_finds_the_rr_lyrae),
        cmocka_unit_test (blazars_in_sexagesimal),
        cmocka_unit_test (galaxies_with_semicolons),
        cmocka_unit_test (fermi_sources),
        cmocka_unit_test (allwise_agrees_with_cds),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
