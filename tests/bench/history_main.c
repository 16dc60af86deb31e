//  history_main - fills a Redis with light curves, for benchmarks.
//
//  history_main ADDRESS SURVEY, and on standard input one object a line: its id,
//  how many points, and the MJD before which they lie, one every half day. The
//  columns are those that a ZTF detection fills.

#include <math.h>

#include "weft_curve.h"
#include "weft_history.h"
#include "weft_redis.h"

enum { AT_ONCE = 64, LINE_MOST = 256 };

typedef struct {
    char name[WEFT_HISTORY_OBJECT_MOST];
    weft_buf_t blob;
} object_t;

static object_t objects[AT_ONCE];
static weft_history_t items[AT_ONCE];
static uint64_t points, bytes;

static weft_point_t
detection (int i, double mjd)
{
    weft_point_t row = weft_point_none ();
    row.mjd = mjd;
    row.t_src = mjd + 2400000.5;
    row.ra = 150 + 1e-5 * (i % 7);
    row.dec = 2 + 1e-5 * (i % 5);
    row.id = row.key = row.expo = row.ver[0] = 100000 + i;
    row.flux = (float)(5000 + 300 * sin (0.1 * i));
    row.err = 120;
    row.lim = 900;
    row.zp = 26.3f;
    row.score = 0.9f;
    row.band = (uint8_t)(WEFT_BAND_ZG + i % 2);
    row.kind = WEFT_KIND_D;
    row.prog = 1;
    row.known_at = 1700000000u;
    return row;
}

static void
must (int rc, const char *what)
{
    if (!rc)
        return;
    fprintf (stderr, "history_main: %s: %s\n", what, weft_error_text (rc));
    exit (1);
}

static void
make_curve (object_t *object, int n, double mjd)
{
    static weft_curve_t curve;
    weft_point_t *rows = calloc ((size_t)n + 1, sizeof (*rows));
    must (rows ? 0 : WEFT_ENOMEM, "a curve");
    for (int i = 0; i < n; i++)
        rows[i] = detection (i, mjd - 0.5 * (n - i));
    weft_curve_clear (&curve);
    must (weft_curve_merge (&curve, rows, (size_t)n, NULL), "a curve");
    weft_buf_clear (&object->blob);
    weft_curve_pack (&curve, &object->blob);
    points += (uint64_t)n;
    bytes += object->blob.size;
    free (rows);
}

int
main (int argc, char *argv[])
{
    char line[LINE_MOST];
    weft_redis_t *redis = argc == 3 ? weft_redis_new (argv[1], NULL) : NULL;
    weft_batch_t *batch = redis ? weft_batch_new (redis, 256u << 20) : NULL;
    if (!batch) {
        fprintf (stderr, "usage: history_main ADDRESS SURVEY\n");
        return 2;
    }
    for (int i = 0; i < AT_ONCE; i++)
        weft_buf_init (&objects[i].blob, WEFT_HISTORY_MOST);
    size_t n = 0;
    bool more = true;
    while (more) {
        int count = 0;
        double mjd = 0;
        more = fgets (line, sizeof (line), stdin) != NULL;
        if (more) {
            object_t *object = &objects[n];
            must (sscanf (line, "%127s %d %lf", object->name, &count, &mjd) == 3
                      ? 0
                      : WEFT_EMALFORMED,
                  line);
            make_curve (object, count, mjd);
            items[n++] = (weft_history_t){
                .survey = weft_str (argv[2]),
                .object_id = weft_str (object->name),
                .blob = object->blob.data,
                .size = object->blob.size,
            };
        }
        if (n == AT_ONCE || !more) {
            must (weft_history_put (batch, items, n), weft_redis_why (redis));
            n = 0;
        }
    }
    printf ("{\"points\": %llu, \"bytes\": %llu}\n", (unsigned long long)points,
            (unsigned long long)bytes);
    weft_batch_destroy (&batch);
    weft_redis_destroy (&redis);
    for (int i = 0; i < AT_ONCE; i++)
        weft_buf_fini (&objects[i].blob);
    return 0;
}
