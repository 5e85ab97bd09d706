/* SHA-256 by OpenSSL, which is in Node. Node's own way to it, `node:crypto`, takes a sixth of the time that a program starts in. */
#include "util.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

enum { LENGTH = 32 };

typedef bool update(void *context, const uint8_t *bytes, size_t length);

static bool update_digest(void *context, const uint8_t *bytes, size_t length) {
  return EVP_DigestUpdate(context, bytes, length) == 1;
}
static bool update_mac(void *context, const uint8_t *bytes, size_t length) {
  return EVP_MAC_update(context, bytes, length) == 1;
}

static bool bytes_of(napi_env env, napi_value array, uint8_t **bytes, size_t *length) {
  void *data = NULL;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(env, array, &type, length, &data, NULL, NULL) != napi_ok || type != napi_uint8_array) {
    napi_throw_type_error(env, NULL, "perilune addon: bytes were expected");
    return false;
  }
  *bytes = data;
  return true;
}

/* Each of an array of byte arrays. @return false: there is one that isn't, and an exception; or OpenSSL fails */
static bool update_all(napi_env env, napi_value parts, update *one, void *context) {
  uint32_t count;
  if (napi_get_array_length(env, parts, &count) != napi_ok) {
    napi_throw_type_error(env, NULL, "perilune addon: an array was expected");
    return false;
  }
  for (uint32_t i = 0; i < count; i++) {
    napi_value part;
    uint8_t *bytes;
    size_t length;
    if (napi_get_element(env, parts, i, &part) != napi_ok || !bytes_of(env, part, &bytes, &length) ||
        (length > 0 && !one(context, bytes, length)))
      return false;
  }
  return true;
}

/* sha256(parts: Uint8Array[], digest: Uint8Array(32)) -> 0, or -ENOMEM.  EVP_DigestInit(3) */
napi_value sys_sha256(napi_env env, napi_callback_info info) {
  napi_value args[2];
  uint8_t *out;
  if (!take_args(env, info, args, 2) || !take_bytes(env, args[1], 0, LENGTH, &out)) return NULL;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  bool is_done = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                 update_all(env, args[0], update_digest, context) && EVP_DigestFinal_ex(context, out, NULL) == 1;
  EVP_MD_CTX_free(context);
  return give_int32(env, is_done ? 0 : -ENOMEM);
}

/* hmac_sha256(key: Uint8Array(32), parts: Uint8Array[], digest: Uint8Array(32)) -> 0, or -ENOMEM.  EVP_MAC(3) */
napi_value sys_hmac_sha256(napi_env env, napi_callback_info info) {
  napi_value args[3];
  uint8_t *key, *out;
  size_t length = 0;
  if (!take_args(env, info, args, 3) || !take_bytes(env, args[0], 0, LENGTH, &key) ||
      !take_bytes(env, args[2], 0, LENGTH, &out))
    return NULL;
  EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  EVP_MAC_CTX *context = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", (char *)"SHA256", 0), OSSL_PARAM_construct_end()};
  bool is_done = context != NULL && EVP_MAC_init(context, key, LENGTH, parameters) == 1 &&
                 update_all(env, args[1], update_mac, context) && EVP_MAC_final(context, out, &length, LENGTH) == 1 && length == LENGTH;
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
  return give_int32(env, is_done ? 0 : -ENOMEM);
}

/* random_bytes(bytes: Uint8Array, length) -> 0, or -EIO: nothing may be done with them then.  RAND_bytes(3) */
napi_value sys_random_bytes(napi_env env, napi_callback_info info) {
  int32_t length;
  uint8_t *bytes;
  if (!take_bytes_alone(env, info, &bytes, &length)) return NULL;
  return give_int32(env, RAND_bytes(bytes, length) == 1 ? 0 : -EIO);
}
