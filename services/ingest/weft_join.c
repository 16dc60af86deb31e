//  weft_join.c - puts the light curve into the alert.

#include <math.h>

#include "weft_join.h"

const char *
weft_band_name (uint8_t band)
{
    static const char *const names[] = { "u", "g",  "r",  "i", "z",
                                         "y", "zg", "zr", "zi" };
    return band < WEFT_COUNT (names) ? names[band] : NULL;
}

int
weft_join (weft_normal_t *normal,
           const weft_curve_t *curve,
           const weft_view_rule_t *limits,
           weft_view_t *view)
{
    weft_alert_v1_t *alert = &normal->alert;
    weft_view_rule_t rule = *limits;
    rule.t_obs = alert->t_obs;
    rule.known_at = normal->known_at;
    rule.trigger = normal->trigger;
    rule.obj_ra = normal->obj_ra;
    rule.obj_dec = normal->obj_dec;
    int rc = weft_view_make (view, curve, &rule);
    if (!rc)
        rc = weft_view_points (view, &alert->points);
    if (rc)
        return rc;
    WEFT_MARK (alert_v1, alert, points);
    WEFT_SET (alert_v1, alert, trig, weft_view_trigger (view));
    WEFT_SET (alert_v1, alert, cut, weft_view_cut (view));
    if (!WEFT_HAS (alert_v1, alert, obj_ra)) {
        double ra, dec;
        weft_view_position (view, &ra, &dec);
        if (isfinite (ra) && isfinite (dec)) {
            WEFT_SET (alert_v1, alert, obj_ra, ra);
            WEFT_SET (alert_v1, alert, obj_dec, dec);
        }
    }
    alert->flags |= weft_view_flags (view, alert->trig) &
                    (WEFT_FLAG_multi | WEFT_FLAG_dipole);
    return 0;
}
