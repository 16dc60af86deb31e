# Every library comes from Debian (12 or 13). pkg-config finds most of them.
find_package (Threads REQUIRED)
find_package (PkgConfig REQUIRED)

pkg_check_modules (libs REQUIRED IMPORTED_TARGET
    libzmq hiredis libcyaml libmicrohttpd jansson libarchive zlib sqlite3
    libcrypto libssl libcurl erfa rdkafka)
pkg_check_modules (cmocka REQUIRED IMPORTED_TARGET cmocka)

# No pkg-config file (XGBoost, snappy), or a wrong one on Debian 13 (avro-c,
# msgpack-c, whose library has another name on 12).
find_library (AVRO_LIBRARY avro REQUIRED)
find_library (MSGPACK_LIBRARY NAMES msgpack-c msgpackc REQUIRED)
find_library (XGBOOST_LIBRARY xgboost REQUIRED)
find_library (SNAPPY_LIBRARY snappy REQUIRED)
target_link_libraries (PkgConfig::libs INTERFACE ${AVRO_LIBRARY}
    ${MSGPACK_LIBRARY} ${XGBOOST_LIBRARY} ${SNAPPY_LIBRARY})
