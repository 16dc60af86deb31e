#!/usr/bin/env python3
"""Every field of alert.v1 against an independent reading by fastavro.

`weft peek` decodes the sample packs; here the same packets are decoded by
fastavro and mapped by the contract's tables, written a second time. All fields
of all packets are compared, rows of the light curve too.
"""

import collections
import glob
import io
import itertools
import json
import math
import os
import struct
import subprocess
import sys

TOP = os.getcwd()
BUILD = os.environ.get("WEFT_BUILD", os.path.join(TOP, "build/debug"))
WEFT = os.path.join(os.environ.get("WEFT_BIN", os.path.join(BUILD, "bin")), "weft")
PACKS = os.path.join(TOP, "../shared/data")
MERGED_MOST = 30  # objects of a pack that are merged in all orders
sys.path.insert(0, os.path.join(TOP, "tests"))
import venvs  # noqa: E402


def skip(why):
    print("SKIP: " + why)
    sys.exit(77)


def fastavro():
    """fastavro in a virtual environment of its own; the test goes on there."""
    try:
        import cramjam  # noqa: F401, for snappy
        import fastavro as module
        return module
    except ImportError:
        pass
    python = venvs.fastavro()
    if not python:
        skip("fastavro cannot be installed from the package index")
    os.execv(python, [str(python)] + sys.argv)


# --- units -------------------------------------------------------------------

LEAPS = [(41317, 10), (41499, 11), (41683, 12), (42048, 13), (42413, 14),
         (42778, 15), (43144, 16), (43509, 17), (43874, 18), (44239, 19),
         (44786, 20), (45151, 21), (45516, 22), (46247, 23), (47161, 24),
         (47892, 25), (48257, 26), (48804, 27), (49169, 28), (49534, 29),
         (50083, 30), (50630, 31), (51179, 32), (53736, 33), (54832, 34),
         (56109, 35), (57204, 36), (57754, 37)]


def tai(mjd_utc):
    leap = 0
    for since, seconds in LEAPS:
        if mjd_utc >= since:
            leap = seconds
    return mjd_utc + leap / 86400


def utc(mjd_tai):
    leap = 0
    for since, seconds in LEAPS:
        if mjd_tai - seconds / 86400 >= since:
            leap = seconds
    return mjd_tai - leap / 86400


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def njy(mag):
    return 10 ** ((31.4 - mag) / 2.5)


K = 0.4 * math.log(10)


def number(x, sentinel=None):
    """A number, or None for every way to say that there is none."""
    if isinstance(x, bool) or not isinstance(x, (int, float)):
        return None
    if x != x or x == sentinel:
        return None
    return x


def ident(x):
    """LSST ids: 0 is none."""
    return None if not x else x


def sky(ra1, dec1, ra2, dec2):
    a = math.radians(dec2 - dec1) / 2
    b = math.radians(ra2 - ra1) / 2
    h = math.sin(a) ** 2 + (math.cos(math.radians(dec1)) *
                            math.cos(math.radians(dec2)) * math.sin(b) ** 2)
    return 2 * math.degrees(math.asin(math.sqrt(h))) * 3600


BIT = {name: 1 << i for i, name in enumerate(
    "psf_bad edge no_pixels saturated saturated_center cr bad "
    "interpolated_center suspect streak streak_center nodata injected "
    "injected_template centroid_bad shape_bad ap_bad dipole dipole_tried glint "
    "negative survey_says_negative forced_failed forced_warn multi nbad too "
    "coarse nonpublic withdrawn".split())}

FILTERS = ["u", "g", "r", "i", "z", "y", "zg", "zr", "zi"]


# --- ZTF ---------------------------------------------------------------------

def ztf_sign(value):
    if value in ("t", "1", 1):
        return 1
    if value in ("f", "0", 0) and value is not False:
        return -1
    return None


def ztf_exposure(c, sentinel):
    jd = c["jd"]
    exptime = number(c.get("exptime"), sentinel)
    if not exptime or exptime <= 0:
        exptime = 30
    row = {"t_src": jd,
           "mjd": tai(jd - 2400000.5 + exptime / 172800),
           "band": {1: 6, 2: 7, 3: 8}.get(c["fid"], 255),
           "expo": round((jd - 2400000.5) * 1e7) * 8 + c["fid"],
           "prog": c["programid"] if c["programid"] is not None else 255,
           "flags": 0, "id": 0}
    if row["prog"] not in (1, 255):
        row["flags"] |= BIT["nonpublic"]
    limit = number(c.get("diffmaglim"), sentinel)
    row["lim"] = njy(limit) if limit is not None else None
    row["zp"] = number(c.get("magzpsci"), sentinel)
    return row


def ztf_reference(row, c, sentinel):
    mag = number(c.get("magnr"), sentinel)
    sigma = number(c.get("sigmagnr"), sentinel)
    row["ref_sep"] = number(c.get("distnr"), sentinel)
    row["ref"] = njy(mag) if mag is not None else None
    row["ref_err"] = (row["ref"] * sigma * K
                      if mag is not None and sigma is not None else None)
    near = row["ref_sep"] is not None and 0 <= row["ref_sep"] <= 1.4
    if near and row["ref"] is not None and row.get("flux") is not None:
        row["tot"] = row["flux"] + row["ref"]
        row["tot_err"] = row["err"]


def ztf_detection(c, trigger):
    row = ztf_exposure(c, -999)
    sign = ztf_sign(c.get("isdiffpos"))
    mag, sigma = c["magpsf"], number(c["sigmapsf"], -999)
    row["kind"] = "D"
    row["flux"] = sign * njy(mag) if sign else None
    row["err"] = (abs(row["flux"]) * sigma * K
                  if row["flux"] is not None and sigma is not None else None)
    row["ra"], row["dec"] = c["ra"], c["dec"]
    row["id"] = c["candid"]
    row["rank"] = (1 if trigger else 0,)
    edge = number(c.get("mindtoedge"), -999)
    if edge is not None and edge < 10:
        row["flags"] |= BIT["edge"]
    if (c.get("nbad") or 0) > 0:
        row["flags"] |= BIT["nbad"]
    if c.get("tooflag") == 1:
        row["flags"] |= BIT["too"]
    if sign == -1:
        row["flags"] |= BIT["negative"] | BIT["survey_says_negative"]
    if not trigger:
        row["flags"] |= BIT["coarse"]
    drb, rb = number(c.get("drb"), -999), number(c.get("rb"), -999)
    row["score"] = drb if trigger and drb is not None else rb
    ztf_reference(row, c, -999)
    row["key"] = ("D", row["id"])
    return row


def ztf_limit(c):
    row = ztf_exposure(c, -999)
    row["kind"] = "L"
    row["rank"] = (-c["diffmaglim"], -c["pid"])
    ztf_reference(row, c, -999)
    row["key"] = ("L", row["expo"])
    return row


def ztf_forced(c, alert):
    row = ztf_exposure(c, -99999)
    row["kind"] = "F"
    flux = number(c["forcediffimflux"], -99999)
    err = number(c["forcediffimfluxunc"], -99999)
    zp = row["zp"]
    scale = njy(zp) if zp is not None else None
    row["flux"] = flux * scale if flux is not None and scale else None
    row["err"] = err * scale if err is not None and scale else None
    codes = [x.strip() for x in (c["procstatus"] or "").split(",")]
    codes = [x for x in codes if x]
    if any(x in ("55", "61") for x in codes):
        row["flags"] |= BIT["forced_failed"]
    if any(x not in ("0", "55", "61") for x in codes):
        row["flags"] |= BIT["forced_warn"]
    if flux is None or err is None:
        row["flags"] |= BIT["forced_failed"]
    if row["flux"] is not None and row["flux"] < 0:
        row["flags"] |= BIT["negative"]
    row["usable"] = (bool(codes) and all(x == "0" for x in codes) and
                     row["flux"] is not None and row["err"] is not None and
                     row["err"] > 0)
    row["rank"] = (row["usable"], alert["candidate"]["jd"], alert["candid"])
    ztf_reference(row, c, -99999)
    row["sep"] = row["ref_sep"]
    row["key"] = ("F", row["expo"])
    return row


def ztf_rows(a):
    rows = [ztf_detection(a["candidate"], True)]
    for c in (a.get("prv_candidates") or []) + (a.get("fp_hists") or []):
        if c.get("jd") is None:
            continue
        if c.get("forcediffimflux") is not None:
            rows.append(ztf_forced(c, a))
        elif number(c.get("magpsf"), -999) is not None:
            rows.append(ztf_detection(c, False))
        elif number(c.get("diffmaglim"), -999) is not None:
            rows.append(ztf_limit(c))
    return rows


def ztf_alert(a, schema):
    c = a["candidate"]

    def n(name):
        return number(c.get(name), -999)

    own = ztf_detection(c, True)
    sign = ztf_sign(c["isdiffpos"])

    def flux(mag, sigma):
        m, s = n(mag), n(sigma)
        value = sign * njy(m) if m is not None and sign else None
        return value, (abs(value) * s * K
                       if value is not None and s is not None else None)

    def day(name):
        jd = n(name)
        return tai(jd - 2400000.5) if jd is not None else None

    known = BIT["dipole"] | BIT["multi"] | BIT["coarse"]
    for name, fields in (("edge", "mindtoedge"), ("nbad", "nbad"),
                         ("too", "tooflag")):
        known |= BIT[name] if n(fields) is not None else 0
    if sign:
        known |= BIT["negative"] | BIT["survey_says_negative"]
    if c["programid"] is not None:
        known |= BIT["nonpublic"]
    out = {
        "survey": "ztf", "schema": a.get("schemavsn") or "1",
        "alert_id": c["candid"], "okind": 1,
        "object_id": a.get("objectId") or "cand%d" % c["candid"],
        "night": c["nid"] if n("nid") and abs(c["nid"]) <= 36525
        else min(max(math.floor(own["mjd"] - 0.5), 1), 100000),
        "expo": c["pid"], "field": n("field"), "det": n("rcid"),
        "t_obs": own["mjd"], "t_src": c["jd"], "exptime": n("exptime"),
        "program": c["programid"], "ra": c["ra"], "dec": c["dec"],
        "band": own["band"], "filter": FILTERS[own["band"]],
        "flux": own["flux"], "flux_err": own["err"],
        "tot": own.get("tot"), "tot_err": own.get("tot_err"),
        "ref": own["ref"], "ref_err": own["ref_err"],
        "ref_sep": own["ref_sep"], "ref_chi": n("chinr"),
        "ref_sharp": n("sharpnr"), "ref_start": day("jdstartref"),
        "ref_end": day("jdendref"), "ref_n": n("nframesref"),
        "ref_id": n("rfid"), "zp": n("magzpsci"), "zp_err": n("magzpsciunc"),
        "zp_rms": n("magzpscirms"), "clr": n("clrcoeff"),
        "clr_err": n("clrcounc"), "lim": own["lim"], "rb": n("rb"),
        "drb": n("drb"), "rb_ver": c.get("rbversion"),
        "drb_ver": c.get("drbversion"), "snr": n("scorr"),
        "x": n("xpos"), "y": n("ypos"), "flags": own["flags"],
        "flags_known": known, "first_mjd": day("jdstarthist"),
        "last_mjd": day("jdendhist"), "n_det": n("ndethist"),
        "n_cov": n("ncovhist"),
    }
    out["ap_flux"], out["ap_err"] = flux("magap", "sigmagap")
    out["apbig_flux"], out["apbig_err"] = flux("magapbig", "sigmagapbig")
    for name in ("magdiff fwhm classtar elong sumrat chipsf seeratio sky "
                 "mindtoedge nbad nneg nmtchps scorr nmatches dsnrms ssnrms "
                 "dsdiff").split():
        out[name] = n(name)
    shape = [n("aimage"), n("bimage")]
    out["shape"] = shape if any(x is not None for x in shape) else None
    stars = []
    for i in "123":
        ps1 = {"id": n("objectidps" + i) or None, "sg": n("sgscore" + i),
               "sep": n("distpsnr" + i), "g": n("sgmag" + i),
               "r": n("srmag" + i), "i": n("simag" + i), "z": n("szmag" + i)}
        if i == "1" and ps1["sg"] is None:
            ps1["sg"] = n("sgscore")
        stars.append({k: v for k, v in ps1.items() if v is not None})
    while stars and not stars[-1]:
        stars.pop()
    out["ps1"] = stars or None
    out["gaia"] = record(sep=n("neargaia"), g=n("maggaia"),
                         bright_sep=n("neargaiabright"),
                         bright_g=n("maggaiabright"))
    name = c.get("ssnamenr")
    out["sso"] = record(name=name if name not in (None, "", "null") else None,
                        sep=n("ssdistnr"), vmag=n("ssmagnr"))
    stamps = {k: (a.get(f) or {}).get("stampData") for k, f in (
        ("sci", "cutoutScience"), ("tmpl", "cutoutTemplate"),
        ("diff", "cutoutDifference"))}
    out["stamps"] = stamp_record(stamps)
    return out, ztf_rows(a), None


def record(**fields):
    return {k: v for k, v in fields.items() if v is not None} or None


def stamp_record(stamps):
    out, form = {}, None
    for key in ("sci", "tmpl", "diff"):
        data = stamps[key]
        if not isinstance(data, bytes) or not data:
            continue
        out[key] = len(data)
        form = form or ("fits.gz" if data[:2] == b"\x1f\x8b" else
                        "jpg" if data[:2] == b"\xff\xd8" else
                        "fits" if data[:6] == b"SIMPLE" else None)
    if form:
        out["format"] = form
    return out or None


# --- LSST and ELAsTiCC -------------------------------------------------------

def first(d, *names):
    for name in names:
        if d.get(name) is not None:
            return d[name]
    return None


def micros(value):
    if value is None:
        return None
    if not isinstance(value, (int, float)):
        value = round(value.timestamp() * 1e6)
    return tai(40587 + value / 86400e6)


def lsst_time(s):
    if s.get("midpointMjdTai") is not None:
        return s["midpointMjdTai"]
    old = s["midPointTai"]
    return 40587 + old / 86400 if old > 1e6 else old


def lsst_band(s):
    text = (first(s, "band", "filterName") or "").strip(" ").replace("Y", "y")
    return "ugrizy".index(text) if len(text) == 1 and text in "ugrizy" else 255


def lsst_common(s):
    mjd, band = lsst_time(s), lsst_band(s)
    visit = s.get("visit")
    row = {"mjd": mjd, "band": band, "prog": 1, "flags": 0,
           "expo": visit * 1000 + s["detector"] if visit and visit > 0
           else round(mjd * 1e7) * 8 + (band & 7),
           "flux": number(first(s, "psfFlux", "psFlux")),
           "err": number(first(s, "psfFluxErr", "psFluxErr")),
           "tot": number(first(s, "scienceFlux", "totFlux")),
           "tot_err": number(first(s, "scienceFluxErr", "totFluxErr")),
           "ra": s.get("ra"), "dec": first(s, "dec", "decl")}
    done = s.get("timeProcessedMjdTai")
    row["t_proc"] = done if done is not None else micros(s.get("time_processed"))
    if row["flux"] is not None and row["flux"] < 0:
        row["flags"] |= BIT["negative"]
    if number(s.get("timeWithdrawnMjdTai")) is not None:
        row["flags"] |= BIT["withdrawn"]
    return row


LSST_FLAGS = {
    "psfFlux_flag": "psf_bad", "psfFlux_flag_edge": "edge",
    "pixelFlags_edge": "edge", "psfFlux_flag_noGoodPixels": "no_pixels",
    "pixelFlags_saturated": "saturated",
    "pixelFlags_saturatedCenter": "saturated_center", "pixelFlags_cr": "cr",
    "pixelFlags_bad": "bad",
    "pixelFlags_interpolatedCenter": "interpolated_center",
    "pixelFlags_suspect": "suspect", "pixelFlags_streak": "streak",
    "pixelFlags_streakCenter": "streak_center", "pixelFlags_nodata": "nodata",
    "pixelFlags_injected": "injected",
    "pixelFlags_injected_template": "injected_template",
    "centroid_flag": "centroid_bad", "shape_flag": "shape_bad",
    "apFlux_flag": "ap_bad", "isDipole": "dipole",
    "dipoleFitAttempted": "dipole_tried", "glint_trail": "glint",
    "isNegative": "survey_says_negative",
    "is_negative": "survey_says_negative"}


def lsst_source(s, trigger):
    row = lsst_common(s)
    row["kind"], row["id"] = "D", s["diaSourceId"]
    row["key"] = ("D", row["id"])
    row["rank"] = (row["t_proc"] or 0, trigger)
    row["ref"] = number(s.get("templateFlux"))
    row["ref_err"] = number(s.get("templateFluxErr"))
    row["score"] = number(s.get("reliability"))
    row["known"] = BIT["negative"] if row["flux"] is not None else 0
    for name, flag in LSST_FLAGS.items():
        if s.get(name) is not None:
            row["known"] |= BIT[flag]
            row["flags"] |= BIT[flag] if s[name] else 0
    return row


def lsst_forced(s):
    row = lsst_common(s)
    if "decl" in s or "dec" not in s:
        row["ra"] = row["dec"] = None
    row["kind"], row["id"] = "F", s["diaForcedSourceId"]
    row["key"] = ("F", row["id"])
    row["rank"] = (row["t_proc"] or 0, 0)
    row["usable"] = (row["flux"] is not None and row["err"] is not None and
                     row["err"] > 0 and not row["flags"] & BIT["withdrawn"])
    return row


def lsst_night(visit, mjd):
    date = (visit or 0) // 100000
    year, month, day = date // 10000, date // 100 % 100, date % 100
    if 2015 <= year <= 2040 and 1 <= month <= 12 and 1 <= day <= 31:
        return date
    return min(max(math.floor(mjd - 0.5), 1), 100000)


def lsst_alert(a, schema):
    s = a["diaSource"]
    o = a.get("diaObject") or {}
    own = lsst_source(s, 1)
    oid, ssid = ident(s.get("diaObjectId")), ident(s.get("ssObjectId"))
    kind = (1 if a.get("diaObject") else 3) if oid else 2 if ssid else 3
    version = "unknown"
    if ".v" in schema:
        version = schema.split(".v")[1].split(".")[0].replace("_", ".")
        version = ".".join(version.split(".")[:2])
    survey = schema.split(".")[0]
    out = {
        "survey": survey if survey == "elasticc" else "lsst",
        "schema": version, "alert_id": s["diaSourceId"], "okind": kind,
        "object_id": str(oid) if oid else "ss%d" % ssid if ssid
        else "src%d" % s["diaSourceId"],
        "night": lsst_night(s.get("visit"), own["mjd"]),
        "expo": s.get("visit"), "det": s.get("detector"), "t_obs": own["mjd"],
        "t_proc": own["t_proc"], "withdrawn": number(s.get("timeWithdrawnMjdTai")),
        "program": 1, "reason": a.get("observation_reason"),
        "target": a.get("target_name"), "ra": s["ra"],
        "dec": first(s, "dec", "decl"), "ra_err": number(s.get("raErr")),
        "dec_err": number(first(s, "decErr", "declErr")),
        "cov": number(first(s, "ra_dec_Cov", "ra_decl_Cov")),
        "n_src": o.get("nDiaSources"), "n_det": o.get("nDiaSources"),
        "obj_ver": o.get("validityStartMjdTai")
        if o.get("validityStartMjdTai") is not None
        else micros(o.get("validityStart")),
        "band": own["band"] if own["band"] != 255 else None,
        "filter": FILTERS[own["band"]] if own["band"] != 255 else None,
        "flux": own["flux"], "flux_err": own["err"],
        "ap_flux": number(s.get("apFlux")), "ap_err": number(s.get("apFluxErr")),
        "tot": own["tot"], "tot_err": own["tot_err"], "ref": own["ref"],
        "ref_err": own["ref_err"], "drb": own["score"],
        "snr": number(s.get("snr")), "chipsf": number(s.get("psfChi2")),
        "psf_ndata": s.get("psfNdata"), "x": number(s.get("x")),
        "y": number(s.get("y")), "bbox_size": s.get("bboxSize"),
        "extended": number(s.get("extendedness")),
        "trail_len": number(s.get("trailLength")),
        "trail_ang": number(s.get("trailAngle")),
        "trail_flux": number(s.get("trailFlux")),
        "dip_len": number(s.get("dipoleLength")),
        "dip_diff": number(s.get("dipoleFluxDiff")),
        "dip_mean": number(s.get("dipoleMeanFlux")), "flags": own["flags"],
        "flags_known": own["known"] | BIT["multi"] | BIT["nonpublic"],
        "first_mjd": number(o.get("firstDiaSourceMjdTai")),
        "last_mjd": number(o.get("lastDiaSourceMjdTai")),
    }
    shape = [number(s.get(k)) for k in
             "ixx iyy ixy ixxPSF iyyPSF ixyPSF".split()]
    out["shape"] = shape if any(x is not None for x in shape) else None
    ss = a.get("ssSource") or {}
    sep = number(ss.get("ephOffset"))
    if sep is None and number(ss.get("residualRa")) is not None:
        sep = 3600 * math.hypot(ss["residualRa"] *
                                math.cos(math.radians(out["dec"])),
                                ss["residualDec"])
    out["sso"] = record(
        name=first(ss, "designation") or
        first(a.get("mpc_orbits") or {}, "designation") or
        first(a.get("MPCORB") or {}, "mpcDesignation") or None, sep=sep,
        vmag=number(first(ss, "ephVmag", "predictedVMagnitude")),
        rate=number(ss.get("ephRate")))
    out["stamps"] = stamp_record({"sci": a.get("cutoutScience"),
                                  "tmpl": a.get("cutoutTemplate"),
                                  "diff": a.get("cutoutDifference")})
    rows = [own]
    rows += [lsst_source(x, 0) for x in a.get("prvDiaSources") or []]
    rows += [lsst_forced(x) for x in a.get("prvDiaForcedSources") or []]
    place = None
    if o:
        place = o["ra"], first(o, "dec", "decl")
    return out, rows, place


# --- the merge and the view --------------------------------------------------

def merge(rows):
    best = {}
    for row in rows:
        old = best.get(row["key"])
        if old is None or row["rank"] > old["rank"]:
            best[row["key"]] = row
    return list(best.values())


def view(rows, trigger, t_obs, place):
    rows = [dict(r) for r in rows if r["key"] == trigger or
            (r["mjd"] <= t_obs and not r["flags"] & BIT["withdrawn"])]
    seen = [r for r in rows if r["kind"] == "D" and r.get("ra") is not None]
    own = [r for r in rows if r["key"] == trigger][0]
    if place is None:
        dra = sum((r["ra"] - own["ra"] + 540) % 360 - 180 for r in seen)
        ddec = sum(r["dec"] - own["dec"] for r in seen)
        place = ((own["ra"] + dra / len(seen)) % 360,
                 own["dec"] + ddec / len(seen))
    for r in rows:
        if r.get("ra") is not None:
            r["sep"] = sky(*place, r["ra"], r["dec"])
    exposures = collections.defaultdict(list)
    for r in rows:
        exposures[r["expo"]].append(r)
    out = []
    for group in exposures.values():
        d = [r for r in group if r["kind"] == "D"]
        d.sort(key=lambda r: (r["key"] != trigger, f32(r["sep"]),
                              -(r["score"] if r["score"] is not None
                                else -math.inf), r["id"]))
        f = [r for r in group if r["kind"] == "F"]
        f.sort(key=lambda r: (r["usable"], r["rank"]), reverse=True)
        l = [r for r in group if r["kind"] == "L"]
        if len(d) > 1:
            d[0]["flags"] |= BIT["multi"]
            signs = {math.copysign(1, r["flux"]) for r in d
                     if r["flux"] is not None and r["flux"] != 0}
            if len(signs) == 2:
                d[0]["flags"] |= BIT["dipole"]
        usable = bool(f) and f[0]["usable"]
        kept = d[:1] + f[:1] + (l[:1] if not d and not usable else [])
        for r in kept:
            r["use"] = {"D": 1 | (0 if usable else 2), "L": 1,
                        "F": 2 if r.get("usable") else 0}[r["kind"]]
            r["use"] |= 4 if r.get("tot") is not None else 0
            r["use"] |= 8 if r["prog"] == 1 else 0
        out += kept
    out.sort(key=lambda r: (r["mjd"], r["kind"] != "D", r["kind"] != "L",
                            r["key"][1]))
    return out, place


# --- comparison --------------------------------------------------------------

F64 = {"t_obs", "t_src", "t_proc", "withdrawn", "ra", "dec", "obj_ra",
       "obj_dec", "obj_ver", "ref_start", "ref_end", "first_mjd", "last_mjd",
       "mjd"}


def same(key, got, want):
    if want is None or got is None:
        return want is None and got is None
    if isinstance(want, dict):
        return (isinstance(got, dict) and
                all(same(k, got.get(k), want.get(k))
                    for k in set(got) | set(want)))
    if isinstance(want, list):
        return (isinstance(got, list) and len(got) == len(want) and
                all(same("", g, w) for g, w in zip(got, want)))
    if isinstance(got, str) and isinstance(want, int):
        return int(got) == want
    if isinstance(want, float) or isinstance(got, float):
        if key in F64:
            return abs(got - want) <= 1e-9 * max(1, abs(want) / 1e6)
        if math.isinf(want):
            return got == want
        #  A separation of almost nothing is rounding.
        return abs(got - want) <= 2e-6 * abs(want) + \
            (2e-3 if key == "sep" else 1e-30)
    return got == want


class Report:
    def __init__(self):
        self.packets = self.fields = self.rows = 0
        self.faults = []

    def fault(self, *what):
        self.faults.append(what)

    def check(self, path, key, got, want):
        self.fields += 1
        if not same(key, got, want):
            self.fault(os.path.basename(path), key, "got", got, "want", want)


POINT = ("mjd t_src flux err tot tot_err ref ref_err ref_sep lim zp kind use "
         "prog flags id expo score sep").split()
NOT_COMPARED = {"path", "points", "trig", "cut", "raw_ref", "schema_fp",
                "obj_ra", "obj_dec"}


def compare(report, line, alert, schema, fingerprint):
    path = line["path"]
    report.packets += 1
    mapper = ztf_alert if "candidate" in alert else lsst_alert
    want, rows, place = mapper(alert, schema)
    trigger = rows[0]["key"]
    points, mean = view(merge(rows), trigger, want["t_obs"], place)
    own = [i for i, r in enumerate(points) if r["key"] == trigger]
    report.check(path, "trig", line["trig"], own[0] if own else None)
    want["flags"] |= points[own[0]]["flags"] & (BIT["multi"] | BIT["dipole"])
    for key in sorted((set(line) | set(want)) - NOT_COMPARED):
        report.check(path, key, line.get(key), want.get(key))
    report.check(path, "obj_ra", line.get("obj_ra"), mean[0])
    report.check(path, "obj_dec", line.get("obj_dec"), mean[1])
    report.check(path, "schema_fp", line["schema_fp"], fingerprint)
    got = line["points"]
    report.check(path, "points", len(got), len(points))
    at = math.floor((utc(want["t_obs"]) - 40587) * 86400)
    at = min(max(at, 0), 2 ** 32 - 1)
    for g, w in zip(got, points):
        report.rows += 1
        for key in POINT:
            report.check(path, "points." + key if key not in F64 | {"sep"}
                         else key, g.get(key), w.get(key))
        report.check(path, "points.band", g["band"], w["band"])
        report.check(path, "points.known_at", g["known_at"], at)


def peek(paths, schemas=None):
    args = [WEFT, "peek"] + (["--schemas", schemas] if schemas else []) + paths
    run = subprocess.run(args, stdout=subprocess.PIPE)
    assert run.returncode in (0, 3), run.returncode
    return [json.loads(x) for x in run.stdout.splitlines()]


def fingerprint_of(schema):
    crc = int.from_bytes(bytes.fromhex(SCHEMA.fingerprint(
        SCHEMA.to_parsing_canonical_form(schema), "CRC-64-AVRO")), "little")
    return crc


def read_container(path):
    with open(path, "rb") as file:
        reader = AVRO.reader(file)
        schema = reader.writer_schema
        alerts = list(reader)
    return alerts, schema


class Schemas:
    """Official LSST schemas by version, fingerprints too."""

    def __init__(self, folder):
        self.by_id = {}
        for path in sorted(glob.glob(folder + "/**/lsst.v*.alert.avsc",
                                     recursive=True)):
            name = os.path.basename(path).split(".")[1][1:]
            major, minor = (int(x) for x in name.split("_"))
            if 100 * major + minor not in self.by_id:
                schema = SCHEMA.load_schema(path)
                self.by_id[100 * major + minor] = (
                    schema, fingerprint_of(schema))

    def decode(self, data):
        number_ = int.from_bytes(data[1:5], "big")
        if number_ not in self.by_id:
            #  A meaningless id: the lowest version that reads all the bytes.
            for other in sorted(self.by_id):
                try:
                    body = io.BytesIO(data[5:])
                    alert = AVRO.schemaless_reader(body, self.by_id[other][0])
                    if body.tell() == len(data) - 5 and \
                            0 <= alert["diaSource"]["ra"] <= 360:
                        return alert, *self.by_id[other]
                except Exception:
                    continue
            raise ValueError(number_)
        schema, mark = self.by_id[number_]
        body = io.BytesIO(data[5:])
        alert = AVRO.schemaless_reader(body, schema)
        assert body.tell() == len(data) - 5
        return alert, schema, mark


MARKS = {}


def check_pack(report, lines, schemas):
    read = {}
    for line in lines:
        path, _, number_ = line["path"].partition("#")
        if "refused" in line:
            continue
        with open(path, "rb") as file:
            data = file.read()
        if data[:4] == b"Obj\x01":
            if path not in read:
                read = {path: read_container(path)}
            alerts, schema = read[path]
            alert = alerts[int(number_ or 0)]
            name = schema["name"]
            text = repr(schema)
            if text not in MARKS:
                MARKS[text] = fingerprint_of(schema)
            mark = MARKS[text]
        else:
            alert, schema, mark = schemas.decode(data)
            name = schema["name"]
        compare(report, line, alert, name, mark)


def curves(paths, schemas):
    run = subprocess.run([WEFT, "lightcurve", "--schemas", schemas] + paths,
                         stdout=subprocess.PIPE)
    assert run.returncode in (0, 3), run.returncode
    return run.stdout


def orders_of(paths):
    """Up to six orders of arrival, some with duplicates."""
    some = list(itertools.islice(itertools.permutations(paths), 4))
    some.append(paths[::-1])
    some.append(paths + paths[:1] + paths[::-1])
    return [list(x) for x in some]


def check_merge(report, lines, schemas):
    """Every object with two packets or more, in all orders."""
    objects = collections.defaultdict(dict)
    for line in lines:
        if "refused" not in line and "#" not in line["path"]:
            objects[line["object_id"]][line["path"]] = line
    objects = {k: v for k, v in objects.items() if len(v) > 1}
    if len(objects) > MERGED_MOST:
        step = len(objects) // MERGED_MOST + 1
        objects = dict(sorted(objects.items())[::step])
    for name, packets in objects.items():
        orders = orders_of(list(packets))
        answers = {curves(order, schemas) for order in orders}
        if len(answers) != 1:
            report.fault(name, "depends on the order of arrival")
        curve = json.loads(answers.pop())
        newest = max(packets.values(),
                     key=lambda x: (x["t_obs"], int(x["alert_id"])))
        kinds = collections.Counter((p["kind"], p["expo"])
                                    for p in curve["points"])
        if max(kinds.values()) > 1:
            report.fault(name, "a kind twice in an exposure")
        if not any(p["kind"] == "D" and p["id"] == newest["alert_id"]
                   for p in curve["points"]):
            report.fault(name, "the newest alert is not in its curve")
        if any(p["mjd"] > newest["t_obs"] for p in curve["points"]):
            report.fault(name, "a point after the alert")
        ids = {(p["kind"], p["id"]) for p in curve["points"] if p["id"] != "0"}
        told = {(p["kind"], p["id"]) for x in packets.values()
                for p in x["points"] if p["id"] != "0"}
        if not ids <= told:
            report.fault(name, "a point that no packet has")
    return len(objects)


def unpack(*packs):
    subprocess.run([os.path.join(PACKS, "unpack"),
                    os.path.join(TOP, "build/data"), *packs], check=True,
                   stdout=subprocess.DEVNULL)
    return [os.path.join(TOP, "build/data", p) for p in packs]


#  What is refused, and why it is right to: bare datums, a schema that
#  defines one name twice.
REFUSED = {"ztf_native": 3, "lsst_native": 5, "lsst_confluent_derived": 0,
           "elasticc_alerts": 0, "ztf_spark_reencoded": 0}


def main():
    names = sys.argv[1:] or list(REFUSED)
    folders = unpack(*names, "schemas")
    schemas = Schemas(folders[-1])
    failed = False
    for name, folder in zip(names, folders):
        report = Report()
        paths = [folder]
        if name == "elasticc_alerts":
            paths = sorted(glob.glob(folder + "/**/*.avro", recursive=True))
            paths = paths[::7]
        lines = peek(paths, folders[-1])
        check_pack(report, lines, schemas)
        merged = check_merge(report, lines, folders[-1])
        refused = sum("refused" in x for x in lines)
        if refused != REFUSED[name]:
            report.fault("refused", refused, "not", REFUSED[name])
        print("%s: %d packets, %d rows, %d values compared, %d refused, "
              "%d objects merged in up to 6 orders, %d faults" %
              (name, report.packets, report.rows, report.fields, refused,
               merged, len(report.faults)))
        for fault in report.faults[:20]:
            print("  ", *fault)
        failed |= bool(report.faults)
    return 1 if failed else 0


if __name__ == "__main__":
    if not os.path.isdir(PACKS):
        skip("no data packs in ../shared/data")
    AVRO = fastavro()
    import fastavro.schema as SCHEMA
    sys.exit(main())
