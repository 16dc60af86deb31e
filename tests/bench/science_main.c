//  science_main - CPU time of the crossmatch and feature stages' own work.
//
//  One JSON object a line: name, value, unit, peer, peer_value. Times are of
//  the process's CPU clock, the least of several rounds.

#include <math.h>
#include <time.h>

#include "weft_crossmatch.h"
#include "weft_features.h"
#include "weft_series.h"

#define ROUNDS 5
#define CONES 200000
#define ROWS 1000000
#define MOST_POINTS 1000

static uint64_t seed = 7;

static double
uniform (void)
{
    seed = seed * UINT64_C (6364136223846793005) + 1442695040888963407;
    return (double)(seed >> 11) * 0x1p-53;
}

static double
cpu_seconds (void)
{
    struct timespec t;
    clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void
report (const char *name,
        double value,
        const char *unit,
        const char *peer,
        double peer_value)
{
    printf ("{\"name\": \"%s\", \"value\": %.4g, \"unit\": \"%s\"", name, value,
            unit);
    if (peer_value > 0)
        printf (", \"peer\": \"%s\", \"peer_value\": %g", peer, peer_value);
    printf ("}\n");
}

static void
random_place (double *ra, double *dec)
{
    *ra = 360 * uniform ();
    *dec = asin (2 * uniform () - 1) * 180 / M_PI;
}

//  Cones around places of the catalogue and random ones, half and half.
static double
time_cones (const weft_sky_t *sky,
            const double *ra,
            const double *dec,
            double radius)
{
    double least = INFINITY;
    weft_sky_hit_t hits[4];
    uint32_t found, sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double start = cpu_seconds ();
        for (uint32_t i = 0; i < CONES; i++) {
            uint32_t row = (uint32_t)(uniform () * ROWS);
            double a = ra[row], d = dec[row];
            if (i & 1)
                a = fmod (a + 90, 360);
            sum += weft_sky_cone (sky, a, d, radius, hits, 4, &found);
        }
        least = fmin (least, cpu_seconds () - start);
    }
    return sum ? 1e6 * least / CONES : NAN;
}

static void
bench_cones (void)
{
    double *ra = malloc (ROWS * sizeof *ra), *dec = malloc (ROWS * sizeof *dec);
    if (ra == NULL || dec == NULL)
        exit (1);
    for (uint32_t i = 0; i < ROWS; i++)
        random_place (&ra[i], &dec[i]);
    double start = cpu_seconds ();
    weft_sky_t *sky = weft_sky_new (ra, dec, ROWS, 1.5 / 3600);
    if (sky == NULL)
        exit (1);
    report ("index of 1 M rows", cpu_seconds () - start, "s", "", 0);
    report ("cone of 1.5 arcsec in 1 M rows",
            time_cones (sky, ra, dec, 1.5 / 3600), "us",
            "kd-tree of scipy, published", 2.0);
    weft_sky_destroy (&sky);
    sky = weft_sky_new (ra, dec, ROWS, 60.0 / 3600);
    if (sky)
        report ("cone of 60 arcsec in 1 M rows",
                time_cones (sky, ra, dec, 60.0 / 3600), "us", "", 0);
    weft_sky_destroy (&sky);
    free (ra);
    free (dec);
}

//  A catalogue file of n rows; returns seconds to load it.
static void
write_catalog (const char *path, uint32_t n)
{
    FILE *out = fopen (path, "w");
    if (out == NULL)
        exit (1);
    fprintf (out, "ra,dec,id,type,z\n");
    for (uint32_t i = 0; i < n; i++) {
        double ra, dec;
        random_place (&ra, &dec);
        fprintf (out, "%.7f,%.7f,SRC%u,%s,%.4f\n", ra, dec, i,
                 i % 3 ? "GAL" : "STAR", uniform ());
    }
    fclose (out);
}

static void
bench_crossmatch (void)
{
    enum { CATALOGS = 10, FILE_ROWS = 200000 };
    static char path[] = "/tmp/weft-bench-catalog.csv", names[CATALOGS][8];
    static char ra[] = "ra", dec[] = "dec", id[] = "id", type[] = "type",
                z[] = "z", none[] = "", comma[] = ",", degrees[] = "degrees";
    weft_crossmatch_catalog_t list[CATALOGS];
    write_catalog (path, FILE_ROWS);
    for (int i = 0; i < CATALOGS; i++) {
        snprintf (names[i], sizeof names[i], "cat%d", i);
        list[i] =
            (weft_crossmatch_catalog_t){ .name = names[i],
                                         .file = path,
                                         .radius_arcsec = i < 8 ? 1.5 : 60,
                                         .nearest = 3,
                                         .ra = ra,
                                         .dec = dec,
                                         .id = id,
                                         .type = type,
                                         .mag = none,
                                         .z = z,
                                         .delimiter = comma,
                                         .angles = degrees,
                                         .header = true,
                                         .required = true,
                                         .dec_min = -90,
                                         .dec_max = 90 };
    }
    weft_crossmatch_options_t options = { { list, CATALOGS } };
    weft_crossmatch_t *self;
    double start = cpu_seconds (), least = INFINITY;
    if (weft_crossmatch_new (&self, &options))
        exit (1);
    report ("load of 1 M rows of CSV",
            (cpu_seconds () - start) * 1e6 / (CATALOGS * FILE_ROWS), "s", "",
            0);
    static weft_matches_v1_t matches;
    weft_buf_t buf;
    weft_buf_init (&buf, 1 << 20);
    for (int round = 0; round < ROUNDS; round++) {
        start = cpu_seconds ();
        for (int i = 0; i < 20000; i++) {
            double a, d;
            random_place (&a, &d);
            weft_crossmatch_find (self, a, d, &matches);
            weft_buf_clear (&buf);
            if (weft_contract_encode (&weft_matches_v1, &matches, &buf))
                exit (1);
        }
        least = fmin (least, cpu_seconds () - start);
    }
    report ("crossmatch of ten catalogues", 1e6 * least / 20000, "us/alert",
            "budget", 15);
    weft_buf_fini (&buf);
    weft_crossmatch_destroy (&self);
    remove (path);
}

typedef struct {
    double mjd[MOST_POINTS];
    float flux[MOST_POINTS], err[MOST_POINTS], tot[MOST_POINTS];
    uint8_t band[MOST_POINTS], kind[MOST_POINTS], use[MOST_POINTS];
} rows_t;

#define COL(array, n) ((weft_col_t){ (const uint8_t *)(array), n })

//  n rows: detections, forced points and limits as in a real history.
static void
make_alert (rows_t *rows,
            uint32_t n,
            const char *survey,
            weft_alert_v1_t *alert)
{
    bool lsst = survey[0] == 'l';
    for (uint32_t i = 0; i < n; i++) {
        rows->mjd[i] = 60000 + 0.7 * i + 0.1 * uniform ();
        rows->flux[i] = (float)(1000 + 500 * uniform ());
        rows->err[i] = (float)(20 + 10 * uniform ());
        rows->tot[i] = rows->flux[i] + 5000;
        rows->band[i] = (uint8_t)(lsst ? i % 6 : 6 + i % 2);
        rows->kind[i] = i % 3 == 2 ? 3 : 1;
        rows->use[i] = i % 3 == 2 ? 2 | 4 | 8 : 1 | 2 | 4 | 8;
    }
    weft_contract_clear (&weft_alert_v1, alert);
    WEFT_SET (alert_v1, alert, survey, weft_str (survey));
    WEFT_SET (alert_v1, alert, okind, 1);
    WEFT_SET (alert_v1, alert, t_obs, rows->mjd[n - 1]);
    WEFT_SET (alert_v1, alert, ra, 150);
    WEFT_SET (alert_v1, alert, dec, 2);
    alert->points.mjd = COL (rows->mjd, n);
    alert->points.flux = COL (rows->flux, n);
    alert->points.err = COL (rows->err, n);
    alert->points.tot = COL (rows->tot, n);
    alert->points.tot_err = COL (rows->err, n);
    alert->points.band = COL (rows->band, n);
    alert->points.kind = COL (rows->kind, n);
    alert->points.use = COL (rows->use, n);
}

static void
bench_features (const char *survey)
{
    static const uint32_t sizes[] = { 10, 100, 1000 };
    static rows_t rows;
    weft_feature_work_t *work = weft_feature_work_new ();
    weft_buf_t buf;
    weft_buf_init (&buf, 1 << 20);
    for (size_t s = 0; work && s < WEFT_COUNT (sizes); s++) {
        weft_alert_v1_t alert;
        make_alert (&rows, sizes[s], survey, &alert);
        double least = INFINITY;
        int times = (int)(200000 / sizes[s]);
        for (int round = 0; round < ROUNDS; round++) {
            double start = cpu_seconds ();
            for (int i = 0; i < times; i++) {
                weft_buf_clear (&buf);
                if (weft_features_write (work, &alert, &buf))
                    exit (1);
            }
            least = fmin (least, cpu_seconds () - start);
        }
        char name[64];
        snprintf (name, sizeof name, "features of %s, %u points", survey,
                  sizes[s]);
        report (name, 1e6 * least / times, "us/alert", "budget",
                s == 1 ? 60 : 0);
    }
    weft_buf_fini (&buf);
    weft_feature_work_destroy (&work);
}

//  The 26 features that brokers compute of each curve.
static double
all_features (const weft_series_t *c)
{
    weft_line_t fit = weft_series_linear_fit (c);
    weft_line_t trend = weft_series_linear_trend (c);
    return c->mean + c->weighted_mean + c->sd + c->median + fit.slope +
           fit.slope_sigma + fit.noise + trend.slope + trend.slope_sigma +
           trend.noise + weft_series_amplitude (c) +
           weft_series_beyond_std (c, 1) + weft_series_cusum (c) +
           weft_series_inter_percentile_range (c, .1) +
           weft_series_kurtosis (c) +
           weft_series_magnitude_percentage_ratio (c, .4, .05) +
           weft_series_magnitude_percentage_ratio (c, .2, .1) +
           weft_series_maximum_slope (c) + weft_series_mad (c) +
           weft_series_median_buffer_range (c, .1) +
           weft_series_percent_amplitude (c) + weft_series_mean_variance (c) +
           weft_series_anderson_darling (c) + weft_series_reduced_chi2 (c) +
           weft_series_skew (c) + weft_series_stetson_k (c);
}

static void
bench_series (void)
{
    enum { N = MOST_POINTS, TIMES = 2000 };
    static double t[N], m[N], w[N], room[2 * N];
    for (int i = 0; i < N; i++) {
        t[i] = 60000 + 0.7 * i;
        m[i] = 18 + 0.3 * uniform ();
        w[i] = 1 / (0.0004 + 0.0004 * uniform ());
    }
    double least = INFINITY, sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double start = cpu_seconds ();
        for (int i = 0; i < TIMES; i++) {
            weft_series_t series;
            weft_series_init (&series, t, m, w, N, room);
            sum += all_features (&series);
        }
        least = fmin (least, cpu_seconds () - start);
    }
    report ("26 features of one curve, 1000 points", 1e6 * least / TIMES, "us",
            "light-curve-feature in Rust, published", isnan (sum) ? 0 : 100);
}

int
main (void)
{
    bench_series ();
    bench_cones ();
    bench_crossmatch ();
    bench_features ("ztf");
    bench_features ("lsst");
    return 0;
}
