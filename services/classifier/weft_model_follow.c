//  weft_model_follow.c - following the pointers to the models of one name.
//
//  Runs in the loader's thread: nothing here is waited for by an alert.

#include "weft_log.h"
#include "weft_model_file.h"
#include "weft_model_loader_parts.h"

#define ROWS_MOST 256  //  rows of one script call

char weft_no_shadow;

void
weft_model_loader_offer (weft_scorer_t *_Atomic *to, weft_scorer_t *scorer)
{
    weft_scorer_t *old = atomic_exchange (to, scorer);
    if (old != WEFT_NO_SHADOW)
        weft_scorer_destroy (&old);
}

//  A version that cannot be used: listed, counted and said once. `bad` is
//  where the last one of this pointer is remembered.
static int
refuse (weft_model_loader_t *self,
        const weft_watched_t *watched,
        const char *version,
        char bad[WEFT_MODEL_VERSION_MOST],
        const char *why)
{
    if (!strcmp (bad, version))
        return 0;
    int rc = weft_model_refuse (self->redis, watched->name, version, why);
    if (rc)
        return rc;
    snprintf (bad, WEFT_MODEL_VERSION_MOST, "%s", version);
    atomic_fetch_add (&self->refused, 1);
    weft_log (WEFT_WARN, "MODEL-REFUSED",
              "model %s version %.16s: %s; the live one goes on", watched->name,
              version, why);
    return 0;
}

//  A model under another model's key, or another version's, is refused too.
static weft_scorer_t *
check_section (weft_model_loader_t *self,
               const weft_watched_t *watched,
               const char *version,
               char *why)
{
    weft_scorer_t *scorer =
        weft_scorer_new (self->section.data, self->section.size, why);
    if (!scorer)
        return NULL;
    if (!strcmp (weft_scorer_name (scorer), watched->name) &&
        !strcmp (weft_scorer_version (scorer), version))
        return scorer;
    snprintf (why, WEFT_SCORER_WHY, "it calls itself %s %.16s",
              weft_scorer_name (scorer), weft_scorer_version (scorer));
    weft_scorer_destroy (&scorer);
    return NULL;
}

//  Fetches and checks a version. 0 with a scorer, or 0 with NULL if it is
//  refused. `handled` becomes the version unless it is not there: it may come.
static int
load (weft_model_loader_t *self,
      weft_watched_t *watched,
      const char *version,
      weft_followed_t *followed,
      weft_scorer_t **scorer)
{
    char why[WEFT_SCORER_WHY];
    int rc =
        weft_model_get (self->redis, watched->name, version, &self->section);
    *scorer = NULL;
    if (rc == WEFT_ENOENT)
        return refuse (self, watched, version, followed->bad,
                       "it is not published");
    if (rc)
        return rc;
    *scorer = check_section (self, watched, version, why);
    if (*scorer)
        rc = weft_model_refuse (self->redis, watched->name, version, NULL);
    else
        rc = refuse (self, watched, version, followed->bad, why);
    if (rc) {
        weft_scorer_destroy (scorer);
        return rc;
    }
    if (*scorer)
        followed->bad[0] = 0;
    snprintf (followed->handled, sizeof (followed->handled), "%s", version);
    return 0;
}

static void
keep_on_disk (weft_model_loader_t *self, const weft_watched_t *watched)
{
    int rc = weft_model_file_write (self->dir, watched->name,
                                    self->section.data, self->section.size);
    if (rc)
        weft_log (WEFT_WARN, "MODEL-NOT-KEPT", "model %s in %s: %s",
                  watched->name, self->dir, weft_error_text (rc));
}

static int
follow_live (weft_model_loader_t *self,
             weft_watched_t *watched,
             const weft_model_pointers_t *at)
{
    weft_scorer_t *scorer;
    if (!at->live[0] || !strcmp (at->live, watched->live.handled))
        return 0;
    int rc = load (self, watched, at->live, &watched->live, &scorer);
    if (rc || !scorer)
        return rc;
    keep_on_disk (self, watched);
    weft_model_loader_offer (&watched->fresh, scorer);
    return 0;
}

static void
drop_shadow (weft_watched_t *watched)
{
    if (watched->shadowing)
        weft_model_loader_offer (&watched->shadow, WEFT_NO_SHADOW);
    watched->shadowing = false;
    watched->candidate.handled[0] = 0;
}

//  A candidate is judged anew whenever another version is live: what was newer
//  may be older now.
static int
follow_candidate (weft_model_loader_t *self,
                  weft_watched_t *watched,
                  const weft_model_pointers_t *at)
{
    weft_followed_t *followed = &watched->candidate;
    weft_scorer_t *scorer;
    if (strcmp (watched->beside, at->live))
        followed->handled[0] = 0;
    snprintf (watched->beside, sizeof (watched->beside), "%s", at->live);
    if (!at->candidate[0] || !strcmp (at->candidate, at->live)) {
        drop_shadow (watched);
        return 0;
    }
    if (!strcmp (at->candidate, followed->handled))
        return 0;
    drop_shadow (watched);
    int rc = load (self, watched, at->candidate, followed, &scorer);
    if (rc || !scorer)
        return rc;
    if (at->live[0] && at->candidate_number <= at->live_number) {
        weft_scorer_destroy (&scorer);
        return refuse (self, watched, at->candidate, followed->bad,
                       "it is older than the live version");
    }
    weft_log (WEFT_INFO, "MODEL-CANDIDATE", "model %s version %.16s",
              watched->name, at->candidate);
    weft_model_loader_offer (&watched->shadow, scorer);
    watched->shadowing = true;
    return 0;
}

//  Up to ROWS_MOST rows of the present candidate; others are let go.
static size_t
take_rows (weft_watched_t *watched, weft_shadow_row_t **rows)
{
    size_t n = 0;
    weft_shadow_row_t *row;
    while (n < ROWS_MOST && (row = weft_shadow_log_take (watched->log)))
        if (watched->shadowing &&
            !strcmp (row->version, watched->candidate.handled))
            rows[n++] = row;
        else
            free (row);
    return n;
}

//  Writes what has come. *count becomes how many alerts are there, by all
//  replicas. Rows that Redis does not take are lost: they are a sample.
static int
write_rows (weft_model_loader_t *self,
            weft_watched_t *watched,
            const weft_model_pointers_t *at,
            int64_t *count)
{
    weft_shadow_row_t *rows[ROWS_MOST];
    size_t n;
    int rc = 0;
    *count = 0;
    do {
        n = take_rows (watched, rows);
        if (watched->shadowing && !rc)
            rc = weft_shadows_put (self->redis, watched->name,
                                   watched->candidate.handled,
                                   at->candidate_number, rows, n, count);
        for (size_t i = 0; i < n; i++)
            free (rows[i]);
    } while (n == ROWS_MOST);
    atomic_store (&watched->wants,
                  watched->shadowing && !rc && *count < WEFT_SHADOWS_MOST);
    return rc;
}

//  The candidate becomes the live one if it may. *moved says that it has.
static int
promote (weft_model_loader_t *self,
         const weft_watched_t *watched,
         const weft_model_pointers_t *at,
         int64_t count,
         bool *moved)
{
    if (!watched->shadowing || self->shadow_alerts < 0 ||
        (at->live[0] && count < self->shadow_alerts))
        return 0;
    int rc = weft_model_move_candidate (self->redis, watched->name, at,
                                        "after its shadow");
    if (rc == WEFT_EEXIST || rc == WEFT_ENOENT || rc == WEFT_ERANGE)
        return 0;  //  somebody was faster: the next poll sees what is
    if (rc)
        return rc;
    *moved = true;
    weft_log (WEFT_INFO, "MODEL-PROMOTED",
              "model %s version %.16s after %lld alerts as shadow",
              watched->name, at->candidate, (long long)count);
    return 0;
}

static int
poll_once (weft_model_loader_t *self, weft_watched_t *watched, bool *moved)
{
    weft_model_pointers_t at;
    int64_t count = 0;
    int rc = weft_model_pointers (self->redis, watched->name, &at);
    rc = rc ? rc : follow_live (self, watched, &at);
    rc = rc ? rc : follow_candidate (self, watched, &at);
    rc = rc ? rc : write_rows (self, watched, &at, &count);
    return rc ? rc : promote (self, watched, &at, count, moved);
}

int
weft_model_loader_poll (weft_model_loader_t *self, size_t index)
{
    bool moved = false, again = false;
    int rc = poll_once (self, &self->name[index], &moved);
    if (!rc && moved)
        rc = poll_once (self, &self->name[index], &again);
    return rc;
}
