//  survey_ztf_fields.h - the fields of ZTF's packets that
//  survey_ztf.c reads, by name, type, role in the core, and field of alert.v1.
//  Only it includes this.

#ifndef SURVEY_ZTF_FIELDS_H_INCLUDED
#define SURVEY_ZTF_FIELDS_H_INCLUDED

#include "weft_survey.h"

//  Roles of the core.
enum { NONE, ID, TIME, RA, DEC, BAND, FLUX, FLUX_ERR, SIGN };
static const char *const roles[] = {
    "candid", "jd", "ra", "dec", "fid", "magpsf", "sigmapsf", "isdiffpos",
};

//  Fields of candidate, prv_candidates and fp_hists that make a row.
//     writer's field     types          role      alert.v1
#define ROW_FIELDS(X)                                                          \
    X (jd, REAL, TIME, t_src)                                                  \
    X (fid, WHOLE, BAND, none)                                                 \
    X (pid, WHOLE, NONE, expo)                                                 \
    X (candid, WHOLE, ID, none)                                                \
    X (programid, WHOLE, NONE, program)                                        \
    X (isdiffpos, SIGN, SIGN, none)                                            \
    X (ra, REAL, RA, ra)                                                       \
    X (dec, REAL, DEC, dec)                                                    \
    X (magpsf, REAL, FLUX, none)                                               \
    X (sigmapsf, REAL, FLUX_ERR, none)                                         \
    X (diffmaglim, REAL, NONE, none)                                           \
    X (magnr, REAL, NONE, none)                                                \
    X (sigmagnr, REAL, NONE, none)                                             \
    X (distnr, REAL, NONE, ref_sep)                                            \
    X (magzpsci, REAL, NONE, zp)                                               \
    X (exptime, REAL, NONE, exptime)                                           \
    X (rb, REAL, NONE, rb)                                                     \
    X (drb, REAL, NONE, drb)                                                   \
    X (nbad, WHOLE, NONE, nbad)                                                \
    X (mindtoedge, REAL, NONE, mindtoedge)                                     \
    X (tooflag, WHOLE, NONE, none)                                             \
    X (forcediffimflux, REAL, NONE, none)                                      \
    X (forcediffimfluxunc, REAL, NONE, none)                                   \
    X (procstatus, TEXT, NONE, none)

//  Further fields of candidate.
#define CANDIDATE_FIELDS(X)                                                    \
    X (nid, WHOLE, NONE, night)                                                \
    X (field, WHOLE, NONE, field)                                              \
    X (rcid, WHOLE, NONE, det)                                                 \
    X (magap, REAL, NONE, none)                                                \
    X (sigmagap, REAL, NONE, none)                                             \
    X (magapbig, REAL, NONE, none)                                             \
    X (sigmagapbig, REAL, NONE, none)                                          \
    X (chinr, REAL, NONE, ref_chi)                                             \
    X (sharpnr, REAL, NONE, ref_sharp)                                         \
    X (jdstartref, REAL, NONE, none)                                           \
    X (jdendref, REAL, NONE, none)                                             \
    X (nframesref, WHOLE, NONE, ref_n)                                         \
    X (rfid, WHOLE, NONE, ref_id)                                              \
    X (magzpsciunc, REAL, NONE, zp_err)                                        \
    X (magzpscirms, REAL, NONE, zp_rms)                                        \
    X (clrcoeff, REAL, NONE, clr)                                              \
    X (clrcounc, REAL, NONE, clr_err)                                          \
    X (rbversion, TEXT, NONE, rb_ver)                                          \
    X (drbversion, TEXT, NONE, drb_ver)                                        \
    X (magdiff, REAL, NONE, magdiff)                                           \
    X (fwhm, REAL, NONE, fwhm)                                                 \
    X (classtar, REAL, NONE, classtar)                                         \
    X (elong, REAL, NONE, elong)                                               \
    X (sumrat, REAL, NONE, sumrat)                                             \
    X (chipsf, REAL, NONE, chipsf)                                             \
    X (seeratio, REAL, NONE, seeratio)                                         \
    X (sky, REAL, NONE, sky)                                                   \
    X (nneg, WHOLE, NONE, nneg)                                                \
    X (nmtchps, WHOLE, NONE, nmtchps)                                          \
    X (scorr, REAL, NONE, scorr)                                               \
    X (nmatches, WHOLE, NONE, nmatches)                                        \
    X (dsnrms, REAL, NONE, dsnrms)                                             \
    X (ssnrms, REAL, NONE, ssnrms)                                             \
    X (dsdiff, REAL, NONE, dsdiff)                                             \
    X (xpos, REAL, NONE, x)                                                    \
    X (ypos, REAL, NONE, y)                                                    \
    X (aimage, REAL, NONE, none)                                               \
    X (bimage, REAL, NONE, none)                                               \
    X (jdstarthist, REAL, NONE, none)                                          \
    X (jdendhist, REAL, NONE, none)                                            \
    X (ndethist, WHOLE, NONE, n_det)                                           \
    X (ncovhist, WHOLE, NONE, n_cov)                                           \
    X (sgscore, REAL, NONE, none)                                              \
    X (objectidps1, WHOLE, NONE, none)                                         \
    X (sgscore1, REAL, NONE, none)                                             \
    X (distpsnr1, REAL, NONE, none)                                            \
    X (sgmag1, REAL, NONE, none)                                               \
    X (srmag1, REAL, NONE, none)                                               \
    X (simag1, REAL, NONE, none)                                               \
    X (szmag1, REAL, NONE, none)                                               \
    X (objectidps2, WHOLE, NONE, none)                                         \
    X (sgscore2, REAL, NONE, none)                                             \
    X (distpsnr2, REAL, NONE, none)                                            \
    X (sgmag2, REAL, NONE, none)                                               \
    X (srmag2, REAL, NONE, none)                                               \
    X (simag2, REAL, NONE, none)                                               \
    X (szmag2, REAL, NONE, none)                                               \
    X (objectidps3, WHOLE, NONE, none)                                         \
    X (sgscore3, REAL, NONE, none)                                             \
    X (distpsnr3, REAL, NONE, none)                                            \
    X (sgmag3, REAL, NONE, none)                                               \
    X (srmag3, REAL, NONE, none)                                               \
    X (simag3, REAL, NONE, none)                                               \
    X (szmag3, REAL, NONE, none)                                               \
    X (neargaia, REAL, NONE, none)                                             \
    X (maggaia, REAL, NONE, none)                                              \
    X (neargaiabright, REAL, NONE, none)                                       \
    X (maggaiabright, REAL, NONE, none)                                        \
    X (ssnamenr, TEXT, NONE, none)                                             \
    X (ssdistnr, REAL, NONE, none)                                             \
    X (ssmagnr, REAL, NONE, none)

#define TOP_FIELDS(X)                                                          \
    X (schemavsn, TEXT, NONE, none)                                            \
    X (objectId, TEXT, NONE, none)

#define SLOT(name, type, role, key) ZTF_##name,
enum { ROW_FIELDS (SLOT) CANDIDATE_FIELDS (SLOT) ZTF_candidate_fields };
enum { TOP_FIELDS (SLOT) ZTF_top_fields };
#undef SLOT

#define WANT(name, type, role, key)                                            \
    { #name, WEFT_TYPE_##type, role, WEFT_alert_v1_##key },
#define WANT_ROW(name, type, role, key) { #name, WEFT_TYPE_##type, NONE, -1 },
static const weft_avro_want_t candidate_wants[] = { ROW_FIELDS (
    WANT) CANDIDATE_FIELDS (WANT) };
static const weft_avro_want_t row_wants[] = { ROW_FIELDS (WANT_ROW) };
static const weft_avro_want_t top_wants[] = { TOP_FIELDS (WANT) };
static const weft_avro_want_t stamp_wants[] = {
    { "stampData", WEFT_TYPE_BYTES, NONE, -1 },
};

enum { TOP, CANDIDATE, PRV, FORCED, SCIENCE, TEMPLATE, DIFFERENCE };
static const weft_avro_group_t groups[] = {
    [TOP] = { "", top_wants, WEFT_COUNT (top_wants), NULL },
    [CANDIDATE] = { "candidate", candidate_wants, WEFT_COUNT (candidate_wants),
                    NULL },
    [PRV] = { "prv_candidates[]", row_wants, WEFT_COUNT (row_wants), NULL },
    [FORCED] = { "fp_hists[]", row_wants, WEFT_COUNT (row_wants), NULL },
    [SCIENCE] = { "cutoutScience", stamp_wants, 1, NULL },
    [TEMPLATE] = { "cutoutTemplate", stamp_wants, 1, NULL },
    [DIFFERENCE] = { "cutoutDifference", stamp_wants, 1, NULL },
};

#endif
