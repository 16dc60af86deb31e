//  notifier_filters.h - 25 filters as users of other brokers write them.

#ifndef NOTIFIER_FILTERS_H_INCLUDED
#define NOTIFIER_FILTERS_H_INCLUDED

#define CONDITIONS_MOST 5

//  Conditions in order.
static const char *const filters_sql[][CONDITIONS_MOST] = {
    { "program = 1", "drb > 0.8", "n_det <= 10",
      "ref_sep > 0.5 OR ref_sep IS NULL",
      "(SELECT p FROM scores WHERE class = 'SN Ia') > 0.9" },
    { "drb > 0.9", "mag (flux) < 18.5", "abs (gal_b (ra, dec)) > 10" },
    { "drb > 0.5",
      "EXISTS (SELECT 1 FROM matches WHERE type = 'galaxy' AND sep "
      "< 10 AND z < 0.02)" },
    { "rb > 0.65", "nbad = 0", "fwhm < 5", "abs (magdiff) < 0.1",
      "(SELECT count(*) FROM history WHERE kind = 'D') >= 3" },
    { "drb > 0.8", "sso_sep IS NULL OR sso_sep > 5", "n_det BETWEEN 2 AND 20",
      "NOT EXISTS (SELECT 1 FROM matches WHERE type = 'star' AND sep < 2)" },
    { "(SELECT p FROM scores WHERE class = 'SN II') > 0.5", "drb > 0.6" },
    { "(SELECT p FROM scores WHERE class = 'AGN') > 0.8" },
    { "(SELECT class FROM scores ORDER BY p DESC LIMIT 1) = 'SN Ia'",
      "(SELECT max(p) FROM scores) > 0.6", "drb > 0.7" },
    { "dec < -10", "drb > 0.8", "mag (flux) < 19" },
    { "separation (ra, dec, 150.1, 2.2) < 3600" },
    { "ra BETWEEN 9 AND 11", "dec BETWEEN 19 AND 21", "drb > 0.5" },
    { "gaia_sep < 1", "gaia_g < 18", "drb > 0.8" },
    { "ps1_1_sg > 0.8", "ps1_1_sep < 1.5", "n_det > 20" },
    { "ps1_1_sg < 0.3", "ps1_1_sep < 5", "drb > 0.9",
      "t_obs - first_mjd < 20" },
    { "(SELECT n_d FROM bands WHERE band_name = 'zg') >= 2",
      "(SELECT n_d FROM bands WHERE band_name = 'zr') >= 2", "drb > 0.8" },
    { "(SELECT max(last_mjd) - min(first_mjd) FROM bands) < 5", "drb > 0.9" },
    { "flux > 5 * flux_err",
      "(SELECT min(flux) FROM history WHERE kind = 'D' AND "
      "mjd > 59999) > 1500" },
    { "elong < 1.2", "classtar > 0.4", "rb > 0.5", "nbad < 2",
      "ap_flux / flux BETWEEN 0.8 AND 1.2" },
    { "(SELECT count(*) FROM history WHERE kind = 'L' AND mjd > 59995) >= 1",
      "drb > 0.8" },
    { "EXISTS (SELECT 1 FROM names WHERE survey = 'tns')", "drb > 0.5" },
    { "object_id IN ('ZTF18abcdefg', 'ZTF19xyzabcd', 'ZTF20aaaaaaa')" },
    { "flags & 8 = 0", "flags & 65536 = 0", "drb > 0.95", "mag (flux) < 20" },
    { "band_name = 'zg'", "mag (flux) < 17" },
    { "(SELECT count(*) FROM matches) = 0", "drb > 0.8", "n_det >= 2" },
    { "(SELECT 1 FROM catalogs WHERE name = 'glade' AND state = 1)",
      "drb > 0.99", "n_det = 1" },
};

#define FILTERS WEFT_COUNT (filters_sql)

#endif
