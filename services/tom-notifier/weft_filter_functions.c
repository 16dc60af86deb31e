//  weft_filter_functions.c - functions of ours for users' conditions.

#include "weft_filter_functions.h"

#include <math.h>
#include <strings.h>

#define RAD (3.14159265358979323846 / 180)
#define AB_ZERO_NJY 31.4  //  magnitude of 1 nJy

//  North galactic pole and longitude of the north celestial pole, J2000
//  (Hipparcos catalogue, vol. 1, section 1.5.3), degrees.
#define NGP_RA 192.85948
#define NGP_DEC 27.12825
#define NCP_L 122.93192

double
weft_mag_of_flux (double flux_njy)
{
    return flux_njy > 0 ? AB_ZERO_NJY - 2.5 * log10 (flux_njy) : (double)NAN;
}

double
weft_mag_error (double flux_njy, double err_njy)
{
    return flux_njy > 0 ? 1.085736204758129 * err_njy / flux_njy : (double)NAN;
}

static double
mag (const double *a)
{
    return weft_mag_of_flux (a[0]);
}

static double
mag_err (const double *a)
{
    return weft_mag_error (a[0], a[1]);
}

static double
gal_b (const double *a)
{
    double ra = a[0] - NGP_RA;
    return asin (sin (NGP_DEC * RAD) * sin (a[1] * RAD) +
                 cos (NGP_DEC * RAD) * cos (a[1] * RAD) * cos (ra * RAD)) /
           RAD;
}

static double
gal_l (const double *a)
{
    double ra = (a[0] - NGP_RA) * RAD, dec = a[1] * RAD, pole = NGP_DEC * RAD;
    double y = cos (dec) * sin (ra);
    double x = sin (dec) * cos (pole) - cos (dec) * sin (pole) * cos (ra);
    double l = NCP_L - atan2 (y, x) / RAD;
    return l < 0 ? l + 360 : l >= 360 ? l - 360 : l;
}

//  Haversine: exact for small angles, the only ones that matter here.
static double
separation (const double *a)
{
    double s1 = sin ((a[3] - a[1]) * RAD / 2);
    double s2 = sin ((a[2] - a[0]) * RAD / 2);
    double h = s1 * s1 + cos (a[1] * RAD) * cos (a[3] * RAD) * s2 * s2;
    return 2 * asin (sqrt (fmin (1, h))) / RAD * 3600;
}

typedef struct {
    const char *name;
    int args;
    double (*of) (const double *args);
    const char *meaning;
} function_t;

static const function_t functions[] = {
    { "mag", 1, mag,
      "`mag (flux)`: AB magnitude of nJy, NULL if not positive" },
    { "mag_err", 2, mag_err, "`mag_err (flux, err)`: its error" },
    { "gal_b", 2, gal_b, "`gal_b (ra, dec)`: galactic latitude, deg" },
    { "gal_l", 2, gal_l, "`gal_l (ra, dec)`: galactic longitude, deg" },
    { "separation", 4, separation,
      "`separation (ra1, dec1, ra2, dec2)`: angle between, arcsec" },
};

static void
call (sqlite3_context *context, int argc, sqlite3_value **argv)
{
    const function_t *function = sqlite3_user_data (context);
    double args[4] = { 0 };
    for (int i = 0; i < argc && i < 4; i++) {
        if (sqlite3_value_type (argv[i]) == SQLITE_NULL)
            return;  //  the result of a function that sets none is NULL
        args[i] = sqlite3_value_double (argv[i]);
    }
    sqlite3_result_double (context, function->of (args));  //  NaN is NULL
}

int
weft_filter_functions_register (sqlite3 *db)
{
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    for (size_t i = 0; i < WEFT_COUNT (functions); i++)
        if (sqlite3_create_function_v2 (
                db, functions[i].name, functions[i].args, flags,
                (void *)(uintptr_t)&functions[i], call, NULL, NULL, NULL))
            return WEFT_ENOMEM;
    return 0;
}

bool
weft_filter_functions_has (const char *name)
{
    for (size_t i = 0; i < WEFT_COUNT (functions); i++)
        if (!strcasecmp (functions[i].name, name))
            return true;
    return false;
}

void
weft_filter_functions_describe (FILE *out)
{
    fprintf (out, "\nFunctions of ours:\n\n");
    for (size_t i = 0; i < WEFT_COUNT (functions); i++)
        fprintf (out, "- %s\n", functions[i].meaning);
}
