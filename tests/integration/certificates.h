//  certificates.h - an authority and certificates of a test's own, in PEM files.
//
//     ca.pem                     the authority
//     NAME.pem, NAME.key         of who was made by certificates_make
//     other.pem                  an authority that signed nothing

#ifndef CERTIFICATES_H_INCLUDED
#define CERTIFICATES_H_INCLUDED

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    EVP_PKEY *key;
    X509 *x509;
} certificate_t;

static inline void
certificates_fail (const char *what)
{
    fprintf (stderr, "certificates: %s\n", what);
    exit (1);
}

static inline FILE *
certificates_open (const char *folder, const char *name, const char *end)
{
    char path[512];
    snprintf (path, sizeof path, "%s/%s.%s", folder, name, end);
    FILE *file = fopen (path, "we");
    if (!file)
        certificates_fail (path);
    return file;
}

static inline void
certificates_extend (X509 *x509, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid (NULL, NULL, nid, value);
    if (!extension || X509_add_ext (x509, extension, -1) != 1)
        certificates_fail (value);
    X509_EXTENSION_free (extension);
}

//  Signed by `ca`, or by itself. `alt` is its host ("IP:127.0.0.1") or NULL.
static inline certificate_t
certificates_make (const char *folder,
                   const char *name,
                   const char *alt,
                   const certificate_t *ca)
{
    static long serial;
    certificate_t made = { EVP_EC_gen ("P-256"), X509_new () };
    if (!made.key || !made.x509)
        certificates_fail ("out of memory");
    X509_set_version (made.x509, 2);
    ASN1_INTEGER_set (X509_get_serialNumber (made.x509), ++serial);
    X509_gmtime_adj (X509_getm_notBefore (made.x509), -3600);
    X509_gmtime_adj (X509_getm_notAfter (made.x509), 86400);
    X509_set_pubkey (made.x509, made.key);
    X509_NAME_add_entry_by_txt (X509_get_subject_name (made.x509), "CN",
                                MBSTRING_ASC, (const unsigned char *)name, -1,
                                -1, 0);
    X509_set_issuer_name (made.x509,
                          X509_get_subject_name (ca ? ca->x509 : made.x509));
    certificates_extend (made.x509, NID_basic_constraints,
                         ca ? "CA:FALSE" : "critical,CA:TRUE");
    if (alt)
        certificates_extend (made.x509, NID_subject_alt_name, alt);
    if (X509_sign (made.x509, ca ? ca->key : made.key, EVP_sha256 ()) <= 0)
        certificates_fail ("cannot sign");
    FILE *file = certificates_open (folder, name, "pem");
    PEM_write_X509 (file, made.x509);
    fclose (file);
    file = certificates_open (folder, name, "key");
    PEM_write_PrivateKey (file, made.key, NULL, NULL, 0, NULL, NULL);
    fclose (file);
    return made;
}

static inline void
certificates_free (certificate_t *self)
{
    EVP_PKEY_free (self->key);
    X509_free (self->x509);
}

#endif
