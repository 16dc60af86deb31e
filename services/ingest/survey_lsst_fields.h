//  survey_lsst_fields.h - the fields of LSST's packets that
//  survey_lsst.c reads, by name, type, role in the core, and field of alert.v1,
//  and the booleans among them. Only it includes this.

#ifndef SURVEY_LSST_FIELDS_H_INCLUDED
#define SURVEY_LSST_FIELDS_H_INCLUDED

#include "weft_survey.h"

//  Roles of the core.
enum { NONE, ID, OBJECT, TIME, RA, DEC, BAND, FLUX, FLUX_ERR };
static const char *const roles[] = {
    "diaSourceId", "diaObjectId", "midpointMjdTai", "ra",
    "dec",         "band",        "psfFlux",        "psfFluxErr",
};

//  Fields of diaSource and of prvDiaSources that make a row.
//     writer's field        types        role      alert.v1
#define ROW_FIELDS(X)                                                          \
    X (diaSourceId, WHOLE, ID, none)                                           \
    X (visit, WHOLE, NONE, expo)                                               \
    X (detector, WHOLE, NONE, det)                                             \
    X (midpointMjdTai, REAL, TIME, none)                                       \
    X (midPointTai, REAL, TIME, none)                                          \
    X (ra, REAL, RA, ra)                                                       \
    X (dec, REAL, DEC, dec)                                                    \
    X (decl, REAL, DEC, dec)                                                   \
    X (band, TEXT, BAND, none)                                                 \
    X (filterName, TEXT, BAND, none)                                           \
    X (psfFlux, REAL, FLUX, flux)                                              \
    X (psfFluxErr, REAL, FLUX_ERR, flux_err)                                   \
    X (psFlux, REAL, FLUX, flux)                                               \
    X (psFluxErr, REAL, FLUX_ERR, flux_err)                                    \
    X (scienceFlux, REAL, NONE, tot)                                           \
    X (scienceFluxErr, REAL, NONE, tot_err)                                    \
    X (totFlux, REAL, NONE, tot)                                               \
    X (totFluxErr, REAL, NONE, tot_err)                                        \
    X (templateFlux, REAL, NONE, ref)                                          \
    X (templateFluxErr, REAL, NONE, ref_err)                                   \
    X (reliability, REAL, NONE, drb)                                           \
    X (timeProcessedMjdTai, REAL, NONE, t_proc)                                \
    X (time_processed, WHOLE, NONE, none)                                      \
    X (timeWithdrawnMjdTai, REAL, NONE, withdrawn)                             \
    X (psfFlux_flag, TRUTH, NONE, none)                                        \
    X (psfFlux_flag_edge, TRUTH, NONE, none)                                   \
    X (psfFlux_flag_noGoodPixels, TRUTH, NONE, none)                           \
    X (pixelFlags_edge, TRUTH, NONE, none)                                     \
    X (pixelFlags_saturated, TRUTH, NONE, none)                                \
    X (pixelFlags_saturatedCenter, TRUTH, NONE, none)                          \
    X (pixelFlags_cr, TRUTH, NONE, none)                                       \
    X (pixelFlags_bad, TRUTH, NONE, none)                                      \
    X (pixelFlags_interpolatedCenter, TRUTH, NONE, none)                       \
    X (pixelFlags_suspect, TRUTH, NONE, none)                                  \
    X (pixelFlags_streak, TRUTH, NONE, none)                                   \
    X (pixelFlags_streakCenter, TRUTH, NONE, none)                             \
    X (pixelFlags_nodata, TRUTH, NONE, none)                                   \
    X (pixelFlags_injected, TRUTH, NONE, none)                                 \
    X (pixelFlags_injected_template, TRUTH, NONE, none)                        \
    X (centroid_flag, TRUTH, NONE, none)                                       \
    X (shape_flag, TRUTH, NONE, none)                                          \
    X (apFlux_flag, TRUTH, NONE, none)                                         \
    X (isDipole, TRUTH, NONE, none)                                            \
    X (dipoleFitAttempted, TRUTH, NONE, none)                                  \
    X (glint_trail, TRUTH, NONE, none)                                         \
    X (isNegative, TRUTH, NONE, none)                                          \
    X (is_negative, TRUTH, NONE, none)

//  Further fields of diaSource.
#define SOURCE_FIELDS(X)                                                       \
    X (diaObjectId, WHOLE, OBJECT, none)                                       \
    X (ssObjectId, WHOLE, NONE, none)                                          \
    X (raErr, REAL, NONE, ra_err)                                              \
    X (decErr, REAL, NONE, dec_err)                                            \
    X (declErr, REAL, NONE, dec_err)                                           \
    X (ra_dec_Cov, REAL, NONE, cov)                                            \
    X (ra_decl_Cov, REAL, NONE, cov)                                           \
    X (apFlux, REAL, NONE, ap_flux)                                            \
    X (apFluxErr, REAL, NONE, ap_err)                                          \
    X (snr, REAL, NONE, snr)                                                   \
    X (psfChi2, REAL, NONE, chipsf)                                            \
    X (psfNdata, WHOLE, NONE, psf_ndata)                                       \
    X (x, REAL, NONE, x)                                                       \
    X (y, REAL, NONE, y)                                                       \
    X (bboxSize, WHOLE, NONE, bbox_size)                                       \
    X (extendedness, REAL, NONE, extended)                                     \
    X (trailLength, REAL, NONE, trail_len)                                     \
    X (trailAngle, REAL, NONE, trail_ang)                                      \
    X (trailFlux, REAL, NONE, trail_flux)                                      \
    X (dipoleLength, REAL, NONE, dip_len)                                      \
    X (dipoleFluxDiff, REAL, NONE, dip_diff)                                   \
    X (dipoleMeanFlux, REAL, NONE, dip_mean)                                   \
    X (ixx, REAL, NONE, none)                                                  \
    X (iyy, REAL, NONE, none)                                                  \
    X (ixy, REAL, NONE, none)                                                  \
    X (ixxPSF, REAL, NONE, none)                                               \
    X (iyyPSF, REAL, NONE, none)                                               \
    X (ixyPSF, REAL, NONE, none)

//  Fields of prvDiaForcedSources.
#define FORCED_FIELDS(X)                                                       \
    X (diaForcedSourceId, WHOLE, NONE, none)                                   \
    X (visit, WHOLE, NONE, none)                                               \
    X (detector, WHOLE, NONE, none)                                            \
    X (midpointMjdTai, REAL, NONE, none)                                       \
    X (midPointTai, REAL, NONE, none)                                          \
    X (ra, REAL, NONE, none)                                                   \
    X (dec, REAL, NONE, none)                                                  \
    X (band, TEXT, NONE, none)                                                 \
    X (filterName, TEXT, NONE, none)                                           \
    X (psfFlux, REAL, NONE, none)                                              \
    X (psfFluxErr, REAL, NONE, none)                                           \
    X (psFlux, REAL, NONE, none)                                               \
    X (psFluxErr, REAL, NONE, none)                                            \
    X (scienceFlux, REAL, NONE, none)                                          \
    X (scienceFluxErr, REAL, NONE, none)                                       \
    X (totFlux, REAL, NONE, none)                                              \
    X (totFluxErr, REAL, NONE, none)                                           \
    X (timeProcessedMjdTai, REAL, NONE, none)                                  \
    X (time_processed, WHOLE, NONE, none)                                      \
    X (timeWithdrawnMjdTai, REAL, NONE, none)

#define TOP_FIELDS(X)                                                          \
    X (observation_reason, TEXT, NONE, reason)                                 \
    X (target_name, TEXT, NONE, target)                                        \
    X (cutoutScience, BYTES, NONE, none)                                       \
    X (cutoutTemplate, BYTES, NONE, none)                                      \
    X (cutoutDifference, BYTES, NONE, none)

#define OBJECT_FIELDS(X)                                                       \
    X (ra, REAL, NONE, obj_ra)                                                 \
    X (dec, REAL, NONE, obj_dec)                                               \
    X (decl, REAL, NONE, obj_dec)                                              \
    X (nDiaSources, WHOLE, NONE, n_src)                                        \
    X (validityStartMjdTai, REAL, NONE, obj_ver)                               \
    X (validityStart, WHOLE, NONE, none)                                       \
    X (firstDiaSourceMjdTai, REAL, NONE, first_mjd)                            \
    X (lastDiaSourceMjdTai, REAL, NONE, last_mjd)

//  Solar-system association: 8.0 and 9.0, and 10.0 on.
#define SSO_FIELDS(X)                                                          \
    X (designation, TEXT, NONE, none)                                          \
    X (ephOffset, REAL, NONE, none)                                            \
    X (ephVmag, REAL, NONE, none)                                              \
    X (ephRate, REAL, NONE, none)                                              \
    X (residualRa, REAL, NONE, none)                                           \
    X (residualDec, REAL, NONE, none)                                          \
    X (predictedVMagnitude, REAL, NONE, none)

#define ORBIT_FIELDS(X)                                                        \
    X (designation, TEXT, NONE, none)                                          \
    X (mpcDesignation, TEXT, NONE, none)

#define SLOT(name, type, role, key) SRC_##name,
enum { ROW_FIELDS (SLOT) SOURCE_FIELDS (SLOT) SRC_fields };
#undef SLOT
#define SLOT(name, type, role, key) FRC_##name,
enum { FORCED_FIELDS (SLOT) FRC_fields };
#undef SLOT
#define SLOT(name, type, role, key) TOP_##name,
enum { TOP_FIELDS (SLOT) TOP_fields };
#undef SLOT
#define SLOT(name, type, role, key) OBJ_##name,
enum { OBJECT_FIELDS (SLOT) OBJ_fields };
#undef SLOT
#define SLOT(name, type, role, key) SSO_##name,
enum { SSO_FIELDS (SLOT) SSO_fields };
#undef SLOT
#define SLOT(name, type, role, key) ORB_##name,
enum { ORBIT_FIELDS (SLOT) ORB_fields };
#undef SLOT

#define WANT(name, type, role, key)                                            \
    { #name, WEFT_TYPE_##type, role, WEFT_alert_v1_##key },
#define WANT_ROW(name, type, role, key) { #name, WEFT_TYPE_##type, NONE, -1 },
static const weft_avro_want_t source_wants[] = { ROW_FIELDS (WANT)
                                                     SOURCE_FIELDS (WANT) };
static const weft_avro_want_t row_wants[] = { ROW_FIELDS (WANT_ROW) };
static const weft_avro_want_t forced_wants[] = { FORCED_FIELDS (WANT) };
static const weft_avro_want_t top_wants[] = { TOP_FIELDS (WANT) };
static const weft_avro_want_t object_wants[] = { OBJECT_FIELDS (WANT) };
static const weft_avro_want_t sso_wants[] = { SSO_FIELDS (WANT) };
static const weft_avro_want_t orbit_wants[] = { ORBIT_FIELDS (WANT) };

//  Which boolean sets which canonical bit.
static const weft_avro_flag_t source_flags[] = {
    { SRC_psfFlux_flag, WEFT_FLAG_psf_bad },
    { SRC_psfFlux_flag_edge, WEFT_FLAG_edge },
    { SRC_pixelFlags_edge, WEFT_FLAG_edge },
    { SRC_psfFlux_flag_noGoodPixels, WEFT_FLAG_no_pixels },
    { SRC_pixelFlags_saturated, WEFT_FLAG_saturated },
    { SRC_pixelFlags_saturatedCenter, WEFT_FLAG_saturated_center },
    { SRC_pixelFlags_cr, WEFT_FLAG_cr },
    { SRC_pixelFlags_bad, WEFT_FLAG_bad },
    { SRC_pixelFlags_interpolatedCenter, WEFT_FLAG_interpolated_center },
    { SRC_pixelFlags_suspect, WEFT_FLAG_suspect },
    { SRC_pixelFlags_streak, WEFT_FLAG_streak },
    { SRC_pixelFlags_streakCenter, WEFT_FLAG_streak_center },
    { SRC_pixelFlags_nodata, WEFT_FLAG_nodata },
    { SRC_pixelFlags_injected, WEFT_FLAG_injected },
    { SRC_pixelFlags_injected_template, WEFT_FLAG_injected_template },
    { SRC_centroid_flag, WEFT_FLAG_centroid_bad },
    { SRC_shape_flag, WEFT_FLAG_shape_bad },
    { SRC_apFlux_flag, WEFT_FLAG_ap_bad },
    { SRC_isDipole, WEFT_FLAG_dipole },
    { SRC_dipoleFitAttempted, WEFT_FLAG_dipole_tried },
    { SRC_glint_trail, WEFT_FLAG_glint },
    { SRC_isNegative, WEFT_FLAG_survey_says_negative },
    { SRC_is_negative, WEFT_FLAG_survey_says_negative },
};

//  Where the fields of a row go, under the survey's names and its old ones. Some
//  wait in a member that is made of them when the row is complete: the visit in
//  `expo`, the detector in `ver[1]`, the time of processing (the bits of a
//  double) in `ver[0]`, the band's letter in `band`.
#define AT(member) offsetof (weft_point_t, member)
#define ROW_MOVES(at, its_id)                                                  \
    { its_id, AT (id), WEFT_MOVE_I64 },                                        \
        { at##_visit, AT (expo), WEFT_MOVE_I64 },                              \
        { at##_detector, AT (ver[1]), WEFT_MOVE_I64 },                         \
        { at##_midpointMjdTai, AT (mjd), WEFT_MOVE_F64 },                      \
        { at##_ra, AT (ra), WEFT_MOVE_F64 },                                   \
        { at##_dec, AT (dec), WEFT_MOVE_F64 },                                 \
        { at##_band, AT (band), WEFT_MOVE_LETTER },                            \
        { at##_filterName, AT (band), WEFT_MOVE_LETTER },                      \
        { at##_psfFlux, AT (flux), WEFT_MOVE_F32 },                            \
        { at##_psFlux, AT (flux), WEFT_MOVE_F32 },                             \
        { at##_psfFluxErr, AT (err), WEFT_MOVE_F32 },                          \
        { at##_psFluxErr, AT (err), WEFT_MOVE_F32 },                           \
        { at##_scienceFlux, AT (tot), WEFT_MOVE_F32 },                         \
        { at##_totFlux, AT (tot), WEFT_MOVE_F32 },                             \
        { at##_scienceFluxErr, AT (tot_err), WEFT_MOVE_F32 },                  \
        { at##_totFluxErr, AT (tot_err), WEFT_MOVE_F32 },                      \
    {                                                                          \
        at##_timeProcessedMjdTai, AT (ver[0]), WEFT_MOVE_F64                   \
    }
static const weft_avro_move_t source_moves[] = {
    ROW_MOVES (SRC, SRC_diaSourceId),
    { SRC_decl, AT (dec), WEFT_MOVE_F64 },
    { SRC_templateFlux, AT (ref), WEFT_MOVE_F32 },
    { SRC_templateFluxErr, AT (ref_err), WEFT_MOVE_F32 },
    { SRC_reliability, AT (score), WEFT_MOVE_F32 },
};
static const weft_avro_move_t forced_moves[] = { ROW_MOVES (
    FRC, FRC_diaForcedSourceId) };
#undef ROW_MOVES
#undef AT

#define NO_ID INT64_MIN
#define NO_TIME 0x7ff8000000000000  //  the bits of NaN
#define NOTHING(its_kind)                                                      \
    WEFT_POINT_NONE (.kind = its_kind, .prog = 1, .id = NO_ID,                 \
                     .ver = { NO_TIME, 0 })
static const weft_point_t source_none = NOTHING (WEFT_KIND_D);
static const weft_point_t forced_none = NOTHING (WEFT_KIND_F);
#undef NOTHING

#define LAYOUT(row_none, row_moves)                                            \
    .none = &row_none, .size = sizeof (weft_point_t), .moves = row_moves,      \
    .n_moves = WEFT_COUNT (row_moves),                                         \
    .flags_to = offsetof (weft_point_t, flags)
static const weft_avro_layout_t source_layout = {
    LAYOUT (source_none, source_moves),
    .flags = source_flags,
    .n_flags = WEFT_COUNT (source_flags),
};
static const weft_avro_layout_t forced_layout = { LAYOUT (forced_none,
                                                          forced_moves) };
#undef LAYOUT

//  Wants that are in no layout, as few rows have them.
typedef struct {
    uint16_t mid_point_tai, time_processed, withdrawn;
} rest_wants_t;
static const rest_wants_t source_rest = { SRC_midPointTai, SRC_time_processed,
                                          SRC_timeWithdrawnMjdTai };
static const rest_wants_t forced_rest = { FRC_midPointTai, FRC_time_processed,
                                          FRC_timeWithdrawnMjdTai };

enum { TOP, SOURCE, PRV, FORCED, OBJECT_GROUP, SSO, MPCORB, ORBITS };
#define GROUP(path, wants)                                                     \
    {                                                                          \
        path, wants, WEFT_COUNT (wants), NULL                                  \
    }
static const weft_avro_group_t groups[] = {
    [TOP] = GROUP ("", top_wants),
    [SOURCE] = GROUP ("diaSource", source_wants),
    [PRV] = { "prvDiaSources[]", row_wants, WEFT_COUNT (row_wants),
              &source_layout },
    [FORCED] = { "prvDiaForcedSources[]", forced_wants,
                 WEFT_COUNT (forced_wants), &forced_layout },
    [OBJECT_GROUP] = GROUP ("diaObject", object_wants),
    [SSO] = GROUP ("ssSource", sso_wants),
    [MPCORB] = GROUP ("MPCORB", orbit_wants),
    [ORBITS] = GROUP ("mpc_orbits", orbit_wants),
};

#endif
