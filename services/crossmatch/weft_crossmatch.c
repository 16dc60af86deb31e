//  weft_crossmatch.c - what all catalogues know at one place.

#include "weft_crossmatch.h"

#include <math.h>

#include "weft_hash.h"
#include "weft_log.h"

#define ARCSEC 3600.0

static const weft_option_t catalog_options[] = {
    WEFT_OPT_TEXT (
        weft_crossmatch_catalog_t, name, NULL, "its name in matches"),
    WEFT_OPT_TEXT (weft_crossmatch_catalog_t, file, NULL, "its CSV file"),
    WEFT_OPT_REAL (weft_crossmatch_catalog_t,
                   radius_arcsec,
                   "1.5",
                   0,
                   36000,
                   "arcsec",
                   "radius of the cone"),
    WEFT_OPT_INT (weft_crossmatch_catalog_t,
                  nearest,
                  "1",
                  1,
                  WEFT_CROSSMATCH_MATCHES,
                  "",
                  "most sources that are reported; the sum over all catalogues "
                  "is at most 64"),
    WEFT_OPT_TEXT (weft_crossmatch_catalog_t,
                   ra,
                   "ra",
                   "column of the right ascension, by name or #number"),
    WEFT_OPT_TEXT (
        weft_crossmatch_catalog_t, dec, "dec", "column of the declination"),
    WEFT_OPT_TEXT (weft_crossmatch_catalog_t,
                   id,
                   "",
                   "column of the source's id, empty for none"),
    WEFT_OPT_TEXT (weft_crossmatch_catalog_t, type, "", "column of the class"),
    WEFT_OPT_TEXT (weft_crossmatch_catalog_t, mag, "", "column of a magnitude"),
    WEFT_OPT_TEXT (weft_crossmatch_catalog_t, z, "", "column of the redshift"),
    WEFT_OPT_TEXT (
        weft_crossmatch_catalog_t, delimiter, ",", "one character, or tab"),
    WEFT_OPT_TEXT (weft_crossmatch_catalog_t,
                   angles,
                   "degrees",
                   "degrees, or sexagesimal (ra in hours)"),
    WEFT_OPT_BOOL (weft_crossmatch_catalog_t,
                   header,
                   "true",
                   "the first line names the columns"),
    WEFT_OPT_BOOL (weft_crossmatch_catalog_t,
                   names,
                   "false",
                   "the nearest source is the object itself: its id goes into "
                   "names"),
    WEFT_OPT_BOOL (weft_crossmatch_catalog_t,
                   required,
                   "true",
                   "a file that cannot be read ends the service; else alerts "
                   "say not searched"),
    WEFT_OPT_REAL (weft_crossmatch_catalog_t,
                   dec_min,
                   "-90",
                   -90,
                   90,
                   "deg",
                   "footprint: alerts below are outside"),
    WEFT_OPT_REAL (weft_crossmatch_catalog_t,
                   dec_max,
                   "90",
                   -90,
                   90,
                   "deg",
                   "footprint: alerts above are outside"),
    WEFT_OPT_END,
};

const weft_option_t weft_crossmatch_option_table[] = {
    WEFT_OPT_LIST (weft_crossmatch_options_t,
                   catalogs,
                   catalog_options,
                   weft_crossmatch_catalog_t,
                   "catalogues, asked in this order"),
    WEFT_OPT_END,
};

//  One catalogue and how it is asked: copied, as options may be loaded anew
//  while alerts still use the old catalogues.
typedef struct {
    weft_catalog_t *catalog;  //  NULL: not there
    char name[64];
    double radius_arcsec;
    uint32_t nearest;
    bool names;
    double dec_min, dec_max;
} source_t;

struct weft_crossmatch {
    source_t sources[WEFT_CROSSMATCH_CATALOGS];
    uint32_t n;
    char version[17];
};

static int
refuse (const weft_crossmatch_catalog_t *plan, const char *why)
{
    weft_log (WEFT_ERROR, "CATALOG-BAD", "catalogue %s (%s): %s",
              plan ? plan->name : "", plan ? plan->file : "", why);
    return WEFT_ECONFIG;
}

static int
check_totals (const weft_crossmatch_catalog_t *plans, uint32_t n)
{
    int64_t nearest = 0, names = 0;
    if (n > WEFT_CROSSMATCH_CATALOGS)
        return refuse (NULL, "more than 32 catalogues");
    for (uint32_t i = 0; i < n; i++) {
        nearest += plans[i].nearest;
        names += plans[i].names;
        if (plans[i].names && *plans[i].id == 0)
            return refuse (&plans[i], "names needs a column for id");
    }
    if (nearest > WEFT_CROSSMATCH_MATCHES)
        return refuse (NULL, "more than 64 nearest sources in all");
    if (names > WEFT_CROSSMATCH_NAMES)
        return refuse (NULL, "more than 16 catalogues with names");
    return 0;
}

static int
make_plan (const weft_crossmatch_catalog_t *options, weft_catalog_plan_t *plan)
{
    *plan = (weft_catalog_plan_t){
        .ra = options->ra,
        .dec = options->dec,
        .id = options->id,
        .type = options->type,
        .mag = options->mag,
        .z = options->z,
        .header = options->header,
        .radius = options->radius_arcsec / ARCSEC,
    };
    if (strcmp (options->angles, "sexagesimal") == 0)
        plan->sexagesimal = true;
    else if (strcmp (options->angles, "degrees") != 0)
        return refuse (options, "angles are degrees or sexagesimal");
    bool tab = strcmp (options->delimiter, "tab") == 0;
    plan->delimiter = tab ? '\t' : options->delimiter[0];
    if ((!tab && strlen (options->delimiter) != 1) || plan->delimiter == '"' ||
        plan->delimiter == '\n')
        return refuse (options, "the delimiter is one character, or tab");
    return 0;
}

//  Says how many rows have no place in the sky, and where the first are.
static void
log_loaded (const weft_crossmatch_catalog_t *plan,
            const weft_catalog_t *catalog)
{
    uint64_t lines[WEFT_CATALOG_BAD];
    uint64_t bad = weft_catalog_bad (catalog, lines);
    char text[WEFT_CATALOG_BAD * 24] = "";
    size_t n = 0;
    for (uint64_t i = 0; i < WEFT_MIN (bad, WEFT_CATALOG_BAD); i++)
        n += (size_t)snprintf (text + n, sizeof text - n, " %llu",
                               (unsigned long long)lines[i]);
    weft_log (WEFT_INFO, "CATALOG-LOADED", "%s: %u rows, version %s",
              plan->name, weft_catalog_rows (catalog),
              weft_catalog_version (catalog));
    if (bad)
        weft_log (WEFT_WARN, "CATALOG-ROWS-BAD",
                  "%s: %llu rows without a good position left out, lines%s%s",
                  plan->name, (unsigned long long)bad, text,
                  bad > WEFT_CATALOG_BAD ? " ..." : "");
}

static int
load_one (const weft_crossmatch_catalog_t *options, weft_catalog_t **catalog)
{
    char why[256];
    weft_catalog_plan_t plan;
    int rc = make_plan (options, &plan);
    if (rc)
        return rc;
    rc = weft_catalog_load (catalog, &plan, options->file, why, sizeof why);
    if (rc == 0) {
        log_loaded (options, *catalog);
        return 0;
    }
    if (options->required || rc == WEFT_ENOMEM) {
        refuse (options, why);
        return rc == WEFT_ENOMEM ? rc : WEFT_ECONFIG;
    }
    weft_log (WEFT_WARN, "CATALOG-MISSING",
              "%s (%s): %s; its alerts say not searched", options->name,
              options->file, why);
    return 0;
}

static int
add_source (weft_crossmatch_t *self, const weft_crossmatch_catalog_t *options)
{
    source_t *source = &self->sources[self->n];
    if (strlen (options->name) >= sizeof source->name)
        return refuse (options, "a name has at most 63 bytes");
    snprintf (source->name, sizeof source->name, "%s", options->name);
    source->radius_arcsec = options->radius_arcsec;
    source->nearest = (uint32_t)options->nearest;
    source->names = options->names;
    source->dec_min = options->dec_min;
    source->dec_max = options->dec_max;
    self->n++;
    return load_one (options, &source->catalog);
}

static const char *
version_of (const source_t *source)
{
    return source->catalog ? weft_catalog_version (source->catalog) : "";
}

static void
set_version (weft_crossmatch_t *self)
{
    uint64_t hash = self->n;
    for (uint32_t i = 0; i < self->n; i++) {
        const char *name = self->sources[i].name;
        const char *version = version_of (&self->sources[i]);
        hash = weft_hash_u64 (hash ^ weft_hash (name, strlen (name)));
        hash = weft_hash_u64 (hash ^ weft_hash (version, strlen (version)));
    }
    snprintf (self->version, sizeof self->version, "%016llx",
              (unsigned long long)hash);
}

int
weft_crossmatch_new (weft_crossmatch_t **self_p,
                     const weft_crossmatch_options_t *options)
{
    *self_p = NULL;
    const weft_crossmatch_catalog_t *catalogs = options->catalogs.items;
    int rc = check_totals (catalogs, options->catalogs.n);
    if (rc)
        return rc;
    weft_crossmatch_t *self = calloc (1, sizeof *self);
    if (self == NULL)
        return WEFT_ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < options->catalogs.n; i++)
        rc = add_source (self, &catalogs[i]);
    if (rc)
        weft_crossmatch_destroy (&self);
    else
        set_version (self);
    *self_p = self;
    return rc;
}

void
weft_crossmatch_destroy (weft_crossmatch_t **self_p)
{
    weft_crossmatch_t *self = *self_p;
    if (self == NULL)
        return;
    for (uint32_t i = 0; i < self->n; i++)
        weft_catalog_destroy (&self->sources[i].catalog);
    free (self);
    *self_p = NULL;
}

const char *
weft_crossmatch_version (const weft_crossmatch_t *self)
{
    return self->version;
}

//  Records are cleared as they are taken: most of the 112 never are.
static void
add_match (weft_matches_v1_t *matches,
           const source_t *source,
           const weft_catalog_row_t *row,
           double separation)
{
    weft_match_v1_t *match = &matches->matches[matches->n_matches++];
    weft_contract_clear (&weft_match_v1, match);
    WEFT_SET (match_v1, match, catalog, weft_str (source->name));
    WEFT_SET (match_v1, match, sep, (float)(separation * ARCSEC));
    WEFT_SET (match_v1, match, ra, row->ra);
    WEFT_SET (match_v1, match, dec, row->dec);
    if (row->id.n)
        WEFT_SET (match_v1, match, id, row->id);
    if (row->type.n)
        WEFT_SET (match_v1, match, type, row->type);
    if (isfinite (row->mag))
        WEFT_SET (match_v1, match, mag, row->mag);
    if (isfinite (row->z))
        WEFT_SET (match_v1, match, z, row->z);
}

static void
add_name (weft_matches_v1_t *matches, const source_t *source, weft_str_t id)
{
    if (id.n == 0)
        return;
    weft_name_v1_t *name = &matches->names[matches->n_names++];
    weft_contract_clear (&weft_name_v1, name);
    WEFT_SET (name_v1, name, survey, weft_str (source->name));
    WEFT_SET (name_v1, name, id, id);
    WEFT_MARK (matches_v1, matches, names);
}

static uint8_t
state_of (const source_t *source, double ra, double dec)
{
    if (source->catalog == NULL || !weft_sky_valid (ra, dec))
        return WEFT_NOT_SEARCHED;
    bool inside = dec >= source->dec_min && dec <= source->dec_max;
    return inside ? WEFT_SEARCHED : WEFT_OUTSIDE;
}

//  Asks one catalogue; returns how many sources lie within its radius.
static uint32_t
search_one (const source_t *source,
            double ra,
            double dec,
            weft_matches_v1_t *matches)
{
    weft_sky_hit_t hits[WEFT_CROSSMATCH_MATCHES];
    weft_catalog_row_t row;
    uint32_t found;
    uint32_t n = weft_sky_cone (weft_catalog_sky (source->catalog), ra, dec,
                                source->radius_arcsec / ARCSEC, hits,
                                source->nearest, &found);
    for (uint32_t i = 0; i < n; i++) {
        weft_catalog_row (source->catalog, hits[i].row, &row);
        add_match (matches, source, &row, hits[i].separation);
        if (source->names && i == 0)
            add_name (matches, source, row.id);
    }
    return found;
}

static void
add_catalog (weft_matches_v1_t *matches,
             const source_t *source,
             uint8_t state,
             uint32_t found)
{
    weft_catalog_v1_t *asked = &matches->catalogs[matches->n_catalogs++];
    weft_contract_clear (&weft_catalog_v1, asked);
    WEFT_SET (catalog_v1, asked, name, weft_str (source->name));
    if (source->catalog)
        WEFT_SET (catalog_v1, asked, version, weft_str (version_of (source)));
    WEFT_SET (catalog_v1, asked, radius, (float)source->radius_arcsec);
    WEFT_SET (catalog_v1, asked, state, state);
    WEFT_SET (catalog_v1, asked, found, found);
}

void
weft_crossmatch_find (const weft_crossmatch_t *self,
                      double ra,
                      double dec,
                      weft_matches_v1_t *matches)
{
    memset (matches->has, 0, sizeof matches->has);
    matches->n_catalogs = matches->n_matches = matches->n_names = 0;
    for (uint32_t i = 0; i < self->n; i++) {
        const source_t *source = &self->sources[i];
        uint8_t state = state_of (source, ra, dec);
        uint32_t found = 0;
        if (state == WEFT_SEARCHED)
            found = search_one (source, ra, dec, matches);
        add_catalog (matches, source, state, found);
    }
    //  Always there, if empty: searched and nothing found is an answer.
    WEFT_MARK (matches_v1, matches, catalogs);
    WEFT_MARK (matches_v1, matches, matches);
}
