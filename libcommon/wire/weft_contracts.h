//  weft_contracts.h - every contract of proto/ as a C struct.
//
//  proto/alert.v1.def becomes
//     weft_alert_v1_t              the struct, `has` first
//     WEFT_alert_v1_ra             the number of a field, for the macros below
//     weft_alert_v1                the table that weft_contract.h works from
//
//  Set a scalar with WEFT_SET, ask for one with WEFT_HAS:
//     WEFT_SET (alert_v1, &alert, ra, 12.5);
//     if (WEFT_HAS (alert_v1, &alert, drb)) ...
//
//  Plain structs and constant tables: any thread.

#ifndef WEFT_CONTRACTS_H_INCLUDED
#define WEFT_CONTRACTS_H_INCLUDED

#include "weft_contract.h"

#define WEFT_HAS(contract, record, key)                                        \
    weft_has_bit ((record)->has, WEFT_##contract##_##key)
#define WEFT_MARK(contract, record, key)                                       \
    weft_set_bit ((record)->has, WEFT_##contract##_##key)
#define WEFT_SET(contract, record, key, value)                                 \
    ((record)->key = (value), WEFT_MARK (contract, record, key))

//  Inner records first: the outer ones hold them.
#define WEFT_CONTRACT raw_ref_v1
#define WEFT_CONTRACT_NAME "raw_ref.v1"
#define WEFT_CONTRACT_FILE "proto/raw_ref.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT ps1_v1
#define WEFT_CONTRACT_NAME "ps1.v1"
#define WEFT_CONTRACT_FILE "proto/ps1.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT gaia_v1
#define WEFT_CONTRACT_NAME "gaia.v1"
#define WEFT_CONTRACT_FILE "proto/gaia.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT sso_v1
#define WEFT_CONTRACT_NAME "sso.v1"
#define WEFT_CONTRACT_FILE "proto/sso.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT stamps_v1
#define WEFT_CONTRACT_NAME "stamps.v1"
#define WEFT_CONTRACT_FILE "proto/stamps.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT points_v1
#define WEFT_CONTRACT_NAME "points.v1"
#define WEFT_CONTRACT_FILE "proto/points.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT alert_v1
#define WEFT_CONTRACT_NAME "alert.v1"
#define WEFT_CONTRACT_FILE "proto/alert.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT envelope_v1
#define WEFT_CONTRACT_NAME "envelope.v1"
#define WEFT_CONTRACT_FILE "proto/envelope.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT catalog_v1
#define WEFT_CONTRACT_NAME "catalog.v1"
#define WEFT_CONTRACT_FILE "proto/catalog.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT match_v1
#define WEFT_CONTRACT_NAME "match.v1"
#define WEFT_CONTRACT_FILE "proto/match.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT name_v1
#define WEFT_CONTRACT_NAME "name.v1"
#define WEFT_CONTRACT_FILE "proto/name.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT matches_v1
#define WEFT_CONTRACT_NAME "matches.v1"
#define WEFT_CONTRACT_FILE "proto/matches.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT features_v1
#define WEFT_CONTRACT_NAME "features.v1"
#define WEFT_CONTRACT_FILE "proto/features.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT score_v1
#define WEFT_CONTRACT_NAME "score.v1"
#define WEFT_CONTRACT_FILE "proto/score.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT scores_v1
#define WEFT_CONTRACT_NAME "scores.v1"
#define WEFT_CONTRACT_FILE "proto/scores.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT query_v1
#define WEFT_CONTRACT_NAME "query.v1"
#define WEFT_CONTRACT_FILE "proto/query.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT label_v1
#define WEFT_CONTRACT_NAME "label.v1"
#define WEFT_CONTRACT_FILE "proto/label.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT model_v1
#define WEFT_CONTRACT_NAME "model.v1"
#define WEFT_CONTRACT_FILE "proto/model.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT event_v1
#define WEFT_CONTRACT_NAME "event.v1"
#define WEFT_CONTRACT_FILE "proto/event.v1.def"
#include "weft_contract_struct.h"
#define WEFT_CONTRACT dead_v1
#define WEFT_CONTRACT_NAME "dead.v1"
#define WEFT_CONTRACT_FILE "proto/dead.v1.def"
#include "weft_contract_struct.h"

#endif
