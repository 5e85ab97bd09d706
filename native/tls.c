/* TLS by the OpenSSL that Node carries and exports, straight on a descriptor of ours.
 *
 * A connection is an SSL over a BIO of our own. Reading, the BIO is recv(2). Writing, records are
 * gathered and sent at the end of each call with one send(2); what the kernel doesn't take is kept in
 * `out`, so no call of OpenSSL ever waits for room. Who calls must see to it that `out` goes out
 * (tls_flush) before more is written. Nothing here calls JavaScript.
 *
 * Results are ≥ 0, -errno, or one of the three below. After FAILED, status[CODE] is OpenSSL's code and
 * status[VERIFY] the X509_V_ of the peer's certificate. Every call on a connection sets
 * status[UNSENT], how many bytes wait in `out`, and status[DRAINED]: nothing is buffered, and the last
 * recv(2) brought less than asked for. */
#include "util.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <openssl/bio.h>
#include <openssl/dh.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "fault.h"

enum { FAILED = -8192, TRUNCATED = -8193, PASSWORD_NEEDED = -8194 };
enum { CODE, VERIFY, UNSENT, DRAINED, STATUS_FIELDS };

enum {
  RECORD = SSL3_RT_MAX_PLAIN_LENGTH,
  GATHER = 80 * 1024,        /* five records */
  WRITE_AT_ONCE = 256 * 1024, /* so that one write doesn't hold up everything else */
  MOST_UNSENT = 256 * 1024,  /* of answers to a peer that sends, and doesn't read */
};

enum { CONTEXT_MAGIC = 0x7c01, CONNECTION_MAGIC = 0x7c02, SESSION_MAGIC = 0x7c03 };

struct context {
  int magic, references;
  SSL_CTX *ctx;
  uint8_t *alpn; /* as on the wire: length, name, length, name … */
  unsigned alpn_length;
  struct named *names;
};

/* What a server uses for clients that ask for this name: `*.` stands for one label. */
struct named {
  struct named *next;
  struct context *context;
  char name[];
};

struct connection {
  int magic, fd;
  struct context *context;
  SSL *ssl;
  uint8_t *out;
  size_t out_start, out_end, out_size;
  int send_error, recv_error;
  int32_t failed; /* what has ended the connection, for all calls that follow; 0: nothing has */
  double failed_code, failed_verify;
  bool begun, ready, ended, drained;
};

struct session {
  int magic;
  SSL_SESSION *session;
};

static _Thread_local double *status;
static _Thread_local uint8_t *gather; /* records of the call that runs */
static _Thread_local size_t gathered;
static BIO_METHOD *bio_method;
static _Thread_local napi_ref status_ref;

/* ── errors ── */

static int32_t openssl_failed(void) {
  status[CODE] = (double)ERR_get_error();
  status[VERIFY] = 0;
  ERR_clear_error();
  return FAILED;
}

static int32_t raise_failed(int library, int reason) {
  ERR_clear_error();
  ERR_raise(library, reason);
  return openssl_failed();
}

/* ── the BIO ── */

static ssize_t faulty_recv(int fd, void *bytes, size_t length) {
  for (;;) {
    size_t n = length;
    ssize_t result = fault(FAULT_RECV, fd, &n) ? -1 : recv(fd, bytes, n, 0);
    if (result >= 0 || errno != EINTR) return result;
  }
}

static ssize_t faulty_send(int fd, const void *bytes, size_t length) {
  for (;;) {
    size_t n = length;
    ssize_t result = fault(FAULT_SEND, fd, &n) ? -1 : send(fd, bytes, n, MSG_NOSIGNAL);
    if (result >= 0 || errno != EINTR) return result;
  }
}

static int bio_read(BIO *bio, char *bytes, int length) {
  struct connection *c = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  ssize_t n = faulty_recv(c->fd, bytes, (size_t)length);
  if (n > 0) {
    c->drained = n < length;
    return (int)n;
  }
  if (n == 0) {
    c->ended = true;
    return 0;
  }
  if (errno == EAGAIN) {
    c->drained = true;
    BIO_set_retry_read(bio);
  } else {
    c->recv_error = errno;
  }
  return -1;
}

static bool keep_unsent(struct connection *c, const uint8_t *bytes, size_t length) {
  if (c->out_end + length > c->out_size) {
    size_t waiting = c->out_end - c->out_start;
    if (waiting > 0) memmove(c->out, c->out + c->out_start, waiting);
    c->out_start = 0;
    c->out_end = waiting;
    if (waiting + length > c->out_size) {
      uint8_t *larger = realloc(c->out, waiting + length);
      if (!larger) return false;
      c->out = larger;
      c->out_size = waiting + length;
    }
  }
  memcpy(c->out + c->out_end, bytes, length);
  c->out_end += length;
  return true;
}

/* Send what has been gathered, behind what waits already. */
static void send_gathered(struct connection *c) {
  size_t sent = 0;
  if (gathered == 0) return;
  if (c->out_end == c->out_start && c->send_error == 0) {
    ssize_t n = faulty_send(c->fd, gather, gathered);
    if (n >= 0) sent = (size_t)n;
    else if (errno != EAGAIN) c->send_error = errno;
  }
  if (c->send_error == 0 && sent < gathered && !keep_unsent(c, gather + sent, gathered - sent))
    c->send_error = ENOMEM;
  gathered = 0;
}

static int bio_write(BIO *bio, const char *bytes, int length) {
  struct connection *c = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (c->send_error == 0 && c->out_end - c->out_start + gathered > MOST_UNSENT)
    c->send_error = ENOBUFS;
  if (c->send_error != 0) return length; /* told by who writes; what there is to read is still read */
  for (int at = 0; at < length;) {
    size_t n = (size_t)(length - at);
    if (gathered == GATHER) send_gathered(c);
    if (n > GATHER - gathered) n = GATHER - gathered;
    memcpy(gather + gathered, bytes + at, n);
    gathered += n;
    at += (int)n;
  }
  return length;
}

static long bio_control(BIO *bio, int command, long number, void *pointer) {
  struct connection *c = BIO_get_data(bio);
  (void)number;
  (void)pointer;
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return c->ended;
  return 0;
}

static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static void make_bio_method(void) {
  BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "perilune");
  if (!method) return;
  BIO_meth_set_read(method, bio_read);
  BIO_meth_set_write(method, bio_write);
  BIO_meth_set_ctrl(method, bio_control);
  bio_method = method;
}

/* ── values ── */

static void *take_external(napi_env env, napi_value value, int magic) {
  void *data = NULL;
  if (napi_get_value_external(env, value, &data) == napi_ok && data && *(int *)data == magic)
    return data;
  napi_throw_type_error(env, NULL, "perilune addon: another kind of object was expected");
  return NULL;
}

static napi_value give_external(napi_env env, void *data, napi_finalize finalize) {
  napi_value value = NULL;
  napi_create_external(env, data, finalize, NULL, &value);
  return value;
}

/* All bytes of an array; *length is at most INT32_MAX. */
static bool take_all_bytes(napi_env env, napi_value array, uint8_t **bytes, int32_t *length) {
  size_t size = 0;
  if (napi_get_typedarray_info(env, array, NULL, &size, NULL, NULL, NULL) != napi_ok ||
      size > INT32_MAX) {
    napi_throw_type_error(env, NULL, "perilune addon: bytes were expected");
    return false;
  }
  *length = (int32_t)size;
  return take_bytes(env, array, 0, *length, bytes);
}

/* A string of bytes; longer ones are cut, which no name of a host survives. */
static bool take_string(napi_env env, napi_value value, char *out, size_t size) {
  if (napi_get_value_string_latin1(env, value, out, size, NULL) == napi_ok) return true;
  napi_throw_type_error(env, NULL, "perilune addon: a string was expected");
  return false;
}

#define NAME_SIZE 1024

/* ── contexts ── */

static void release_context(struct context *c) {
  if (--c->references > 0) return;
  while (c->names) {
    struct named *next = c->names->next;
    if (c->names->context != c) release_context(c->names->context);
    free(c->names);
    c->names = next;
  }
  SSL_CTX_free(c->ctx);
  free(c->alpn);
  free(c);
}

static void finalize_context(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  release_context(data);
}

/* context_new(role: 0 both, 1 client, 2 server; least, most: TLS versions, 0 for any) */
static napi_value tls_context_new(napi_env env, napi_callback_info info) {
  int32_t arg[3];
  uint8_t id[16];
  if (!take_int32s(env, info, arg, 3)) return NULL;
  struct context *c = calloc(1, sizeof *c);
  if (!c) return give_int32(env, -ENOMEM);
  c->magic = CONTEXT_MAGIC;
  c->references = 1;
  c->ctx = SSL_CTX_new(arg[0] == 1   ? TLS_client_method()
                       : arg[0] == 2 ? TLS_server_method()
                                     : TLS_method());
  if (!c->ctx || SSL_CTX_set_min_proto_version(c->ctx, arg[1]) != 1 ||
      SSL_CTX_set_max_proto_version(c->ctx, arg[2]) != 1 || RAND_bytes(id, sizeof id) != 1 ||
      SSL_CTX_set_session_id_context(c->ctx, id, sizeof id) != 1) {
    int32_t result = openssl_failed();
    release_context(c);
    return give_int32(env, result);
  }
  SSL_CTX_set_security_level(c->ctx, 2);
  SSL_CTX_set_options(c->ctx, SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(c->ctx, 1);
  SSL_CTX_set_default_read_buffer_len(c->ctx, 4 * (RECORD + 256));
  SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF); /* tickets need no memory here */
  return give_external(env, c, finalize_context);
}

#define TAKE_CONTEXT(count)                                        \
  napi_value args[MAX_ARGS];                                       \
  struct context *c;                                               \
  if (!take_args(env, info, args, count) ||                        \
      !(c = take_external(env, args[0], CONTEXT_MAGIC)))           \
    return NULL;                                                   \
  ERR_clear_error();

/* context_set_options(context, set, clear): SSL_OP_, the low 32 bits */
static napi_value tls_context_set_options(napi_env env, napi_callback_info info) {
  int32_t set, clear;
  TAKE_CONTEXT(3)
  if (!take_int32(env, args[1], &set) || !take_int32(env, args[2], &clear)) return NULL;
  SSL_CTX_clear_options(c->ctx, (uint32_t)clear);
  SSL_CTX_set_options(c->ctx, (uint32_t)set | SSL_OP_NO_RENEGOTIATION);
  return give_int32(env, 0);
}

/* context_set_verify(context, mode: SSL_VERIFY_) */
static napi_value tls_context_set_verify(napi_env env, napi_callback_info info) {
  int32_t mode;
  TAKE_CONTEXT(2)
  if (!take_int32(env, args[1], &mode)) return NULL;
  SSL_CTX_set_verify(c->ctx, mode, NULL);
  return give_int32(env, 0);
}

static napi_value tls_context_set_verify_depth(napi_env env, napi_callback_info info) {
  int32_t depth;
  TAKE_CONTEXT(2)
  if (!take_int32(env, args[1], &depth)) return NULL;
  SSL_CTX_set_verify_depth(c->ctx, depth);
  return give_int32(env, 0);
}

/* context_add_authorities(context, pem) -> how many certificates and revocation lists were added */
static napi_value tls_context_add_authorities(napi_env env, napi_callback_info info) {
  uint8_t *bytes;
  int32_t length, added = 0;
  TAKE_CONTEXT(2)
  if (!take_all_bytes(env, args[1], &bytes, &length)) return NULL;
  BIO *bio = BIO_new_mem_buf(bytes, length);
  STACK_OF(X509_INFO) *found = bio ? PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL) : NULL;
  BIO_free(bio);
  if (!found) return give_int32(env, openssl_failed());
  X509_STORE *store = SSL_CTX_get_cert_store(c->ctx);
  for (int i = 0; i < sk_X509_INFO_num(found); i++) {
    X509_INFO *entry = sk_X509_INFO_value(found, i);
    if (entry->x509 && X509_STORE_add_cert(store, entry->x509)) added++;
    if (entry->crl && X509_STORE_add_crl(store, entry->crl)) {
      X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
      added++;
    }
  }
  sk_X509_INFO_pop_free(found, X509_INFO_free);
  if (added == 0) return give_int32(env, raise_failed(ERR_LIB_PEM, PEM_R_NO_START_LINE));
  ERR_clear_error();
  return give_int32(env, added);
}

/* context_add_verify_path(context, folder): of certificates named by hash */
static napi_value tls_context_add_verify_path(napi_env env, napi_callback_info info) {
  char path[4096];
  TAKE_CONTEXT(2)
  if (!take_string(env, args[1], path, sizeof path)) return NULL;
  return give_int32(env, SSL_CTX_load_verify_dir(c->ctx, path) == 1 ? 0 : openssl_failed());
}

static napi_value tls_context_set_default_verify_paths(napi_env env, napi_callback_info info) {
  TAKE_CONTEXT(1)
  return give_int32(env, SSL_CTX_set_default_verify_paths(c->ctx) == 1 ? 0 : openssl_failed());
}

/* Never asks the terminal, as OpenSSL would. */
struct password {
  const char *text;
  size_t length;
  int asked; /* with this much room, 0: not asked */
};

static int give_password(char *out, int size, int writing, void *data) {
  struct password *p = data;
  (void)writing;
  if (!p || !p->text) {
    if (p) p->asked = size;
    return -1;
  }
  size_t length = p->length < (size_t)size ? p->length : (size_t)size;
  memcpy(out, p->text, length);
  return (int)length;
}

static int32_t failed_or_password(const struct password *p) {
  if (p->asked == 0) return openssl_failed();
  ERR_clear_error();
  status[CODE] = p->asked;
  return PASSWORD_NEEDED;
}

/* Arguments from the second on: bytes, then a password or undefined. */
static bool take_secret(napi_env env, const napi_value *args, uint8_t **bytes, int32_t *length,
                        struct password *p, char *text, size_t size) {
  napi_valuetype type;
  memset(p, 0, sizeof *p);
  if (!take_all_bytes(env, args[1], bytes, length)) return false;
  if (napi_typeof(env, args[2], &type) != napi_ok || type == napi_undefined) return true;
  p->text = text;
  return napi_get_value_string_latin1(env, args[2], text, size, &p->length) == napi_ok;
}

#define PASSWORD_SIZE 8192

/* context_use_certificate(context, bytes, password, pem: 0 or 1) */
static napi_value tls_context_use_certificate(napi_env env, napi_callback_info info) {
  uint8_t *bytes;
  int32_t length, pem;
  struct password p;
  char text[PASSWORD_SIZE];
  TAKE_CONTEXT(4)
  if (!take_secret(env, args, &bytes, &length, &p, text, sizeof text) ||
      !take_int32(env, args[3], &pem))
    return NULL;
  BIO *bio = BIO_new_mem_buf(bytes, length);
  X509 *certificate = pem ? PEM_read_bio_X509(bio, NULL, give_password, &p) : d2i_X509_bio(bio, NULL);
  bool ok = certificate && SSL_CTX_use_certificate(c->ctx, certificate) == 1;
  int32_t result = ok ? 0 : failed_or_password(&p);
  X509_free(certificate);
  BIO_free(bio);
  OPENSSL_cleanse(text, sizeof text);
  return give_int32(env, result);
}

/* context_use_certificate_chain(context, pem, password): the certificate, then those above it */
static napi_value tls_context_use_certificate_chain(napi_env env, napi_callback_info info) {
  uint8_t *bytes;
  int32_t length;
  struct password p;
  char text[PASSWORD_SIZE];
  TAKE_CONTEXT(3)
  if (!take_secret(env, args, &bytes, &length, &p, text, sizeof text)) return NULL;
  BIO *bio = BIO_new_mem_buf(bytes, length);
  X509 *certificate = PEM_read_bio_X509_AUX(bio, NULL, give_password, &p);
  bool ok = certificate && SSL_CTX_use_certificate(c->ctx, certificate) == 1 &&
            SSL_CTX_clear_chain_certs(c->ctx) == 1;
  while (ok) {
    X509 *above = PEM_read_bio_X509(bio, NULL, give_password, &p);
    if (!above) {
      unsigned long e = ERR_peek_last_error();
      ok = ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
      if (ok) ERR_clear_error();
      break;
    }
    ok = SSL_CTX_add0_chain_cert(c->ctx, above) == 1;
    if (!ok) X509_free(above);
  }
  int32_t result = ok ? 0 : failed_or_password(&p);
  X509_free(certificate);
  BIO_free(bio);
  OPENSSL_cleanse(text, sizeof text);
  return give_int32(env, result);
}

/* context_use_private_key(context, bytes, password, pem: 0 or 1, rsa: 0 or 1) */
static napi_value tls_context_use_private_key(napi_env env, napi_callback_info info) {
  uint8_t *bytes;
  int32_t length, pem, rsa, result = 0;
  struct password p;
  char text[PASSWORD_SIZE];
  TAKE_CONTEXT(5)
  if (!take_secret(env, args, &bytes, &length, &p, text, sizeof text) ||
      !take_int32(env, args[3], &pem) || !take_int32(env, args[4], &rsa))
    return NULL;
  BIO *bio = BIO_new_mem_buf(bytes, length);
  EVP_PKEY *key = pem ? PEM_read_bio_PrivateKey(bio, NULL, give_password, &p)
                      : d2i_PrivateKey_bio(bio, NULL);
  if (!key) result = failed_or_password(&p);
  else if (rsa && EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
    result = raise_failed(ERR_LIB_EVP, EVP_R_EXPECTING_AN_RSA_KEY);
  else if (SSL_CTX_use_PrivateKey(c->ctx, key) != 1) result = openssl_failed();
  EVP_PKEY_free(key);
  BIO_free(bio);
  OPENSSL_cleanse(text, sizeof text);
  return give_int32(env, result);
}

/* context_use_tmp_dh(context, pem): parameters of Diffie and Hellman */
static napi_value tls_context_use_tmp_dh(napi_env env, napi_callback_info info) {
  uint8_t *bytes;
  int32_t length, result = 0;
  TAKE_CONTEXT(2)
  if (!take_all_bytes(env, args[1], &bytes, &length)) return NULL;
  BIO *bio = BIO_new_mem_buf(bytes, length);
  EVP_PKEY *parameters = PEM_read_bio_Parameters(bio, NULL);
  if (!parameters || SSL_CTX_set0_tmp_dh_pkey(c->ctx, parameters) != 1) {
    result = openssl_failed();
    EVP_PKEY_free(parameters);
  }
  BIO_free(bio);
  return give_int32(env, result);
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                           const unsigned char *in, unsigned in_length, void *data) {
  struct context *c = data;
  (void)ssl;
  unsigned char *chosen;
  int found = SSL_select_next_proto(&chosen, out_length, c->alpn, c->alpn_length, in, in_length);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* context_set_alpn(context, list as on the wire): what is offered, and in which order chosen */
static napi_value tls_context_set_alpn(napi_env env, napi_callback_info info) {
  uint8_t *bytes;
  int32_t length;
  TAKE_CONTEXT(2)
  if (!take_all_bytes(env, args[1], &bytes, &length)) return NULL;
  uint8_t *copy = malloc((size_t)length + 1);
  if (!copy) return give_int32(env, -ENOMEM);
  memcpy(copy, bytes, (size_t)length);
  free(c->alpn);
  c->alpn = copy;
  c->alpn_length = (unsigned)length;
  if (SSL_CTX_set_alpn_protos(c->ctx, copy, c->alpn_length) != 0)
    return give_int32(env, openssl_failed());
  SSL_CTX_set_alpn_select_cb(c->ctx, length > 0 ? choose_protocol : NULL, c);
  return give_int32(env, 0);
}

static bool name_matches(const char *pattern, const char *name) {
  if (strncmp(pattern, "*.", 2) != 0) return strcasecmp(pattern, name) == 0;
  const char *rest = strchr(name, '.');
  return rest && rest != name && strcasecmp(pattern + 1, rest) == 0;
}

static int choose_context(SSL *ssl, int *alert, void *data) {
  struct context *c = data;
  const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  (void)alert;
  if (!name || !SSL_is_server(ssl)) return SSL_TLSEXT_ERR_NOACK;
  for (struct named *n = c->names; n; n = n->next) {
    if (!name_matches(n->name, name)) continue;
    SSL_CTX *ctx = n->context->ctx;
    if (!SSL_set_SSL_CTX(ssl, ctx)) return SSL_TLSEXT_ERR_ALERT_FATAL;
    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(ctx), NULL);
    SSL_set_verify_depth(ssl, SSL_CTX_get_verify_depth(ctx));
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

/* context_add_server_name(context, name, other): servers use `other` when a client asks for `name` */
static napi_value tls_context_add_server_name(napi_env env, napi_callback_info info) {
  char name[NAME_SIZE];
  struct context *other;
  TAKE_CONTEXT(3)
  if (!take_string(env, args[1], name, sizeof name) ||
      !(other = take_external(env, args[2], CONTEXT_MAGIC)))
    return NULL;
  struct named *n = malloc(sizeof *n + strlen(name) + 1);
  if (!n) return give_int32(env, -ENOMEM);
  strcpy(n->name, name);
  n->context = other;
  if (other != c) other->references++;
  n->next = c->names;
  c->names = n;
  SSL_CTX_set_tlsext_servername_callback(c->ctx, choose_context);
  SSL_CTX_set_tlsext_servername_arg(c->ctx, c);
  return give_int32(env, 0);
}

/* ── connections ── */

static void free_connection(struct connection *c) {
  SSL_free(c->ssl); /* and the BIO */
  c->ssl = NULL;
  if (c->context) release_context(c->context);
  c->context = NULL;
  free(c->out);
  c->out = NULL;
}

static void finalize_connection(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  free_connection(data);
  free(data);
}

/* connection_new(context, fd) */
static napi_value tls_connection_new(napi_env env, napi_callback_info info) {
  int32_t fd;
  napi_value args[2];
  struct context *context;
  if (!take_args(env, info, args, 2) || !take_int32(env, args[1], &fd) ||
      !(context = take_external(env, args[0], CONTEXT_MAGIC)))
    return NULL;
  struct connection *c = calloc(1, sizeof *c);
  if (!c) return give_int32(env, -ENOMEM);
  ERR_clear_error();
  c->magic = CONNECTION_MAGIC;
  c->fd = fd;
  c->ssl = SSL_new(context->ctx);
  BIO *bio = c->ssl ? BIO_new(bio_method) : NULL;
  if (!bio) {
    int32_t result = openssl_failed();
    free_connection(c);
    free(c);
    return give_int32(env, result);
  }
  BIO_set_data(bio, c);
  BIO_set_init(bio, 1);
  SSL_set_bio(c->ssl, bio, bio);
  c->context = context;
  context->references++;
  return give_external(env, c, finalize_connection);
}

#define TAKE_CONNECTION(count)                                     \
  napi_value args[MAX_ARGS];                                       \
  struct connection *c;                                            \
  if (!take_args(env, info, args, count) ||                        \
      !(c = take_external(env, args[0], CONNECTION_MAGIC)))        \
    return NULL;                                                   \
  if (!c->ssl) return give_int32(env, -EBADF);                     \
  ERR_clear_error();

/* connection_close(connection): say good-bye if that needs no waiting, and free all memory; the
 * descriptor stays open. Tickets that a client hasn't read are read: closing a descriptor over unread
 * bytes resets the connection, and what was sent last could be lost. */
static napi_value tls_connection_close(napi_env env, napi_callback_info info) {
  TAKE_CONNECTION(1)
  if (c->ready && !c->failed && !c->send_error && c->out_end == c->out_start) {
    if (!(SSL_get_shutdown(c->ssl) & SSL_SENT_SHUTDOWN)) SSL_shutdown(c->ssl);
    send_gathered(c);
  }
  if (c->ready && !SSL_is_server(c->ssl)) faulty_recv(c->fd, gather, GATHER);
  ERR_clear_error();
  free_connection(c);
  return give_int32(env, 0);
}

/* connection_set_server_name(connection, name): SNI */
static napi_value tls_connection_set_server_name(napi_env env, napi_callback_info info) {
  char name[NAME_SIZE];
  TAKE_CONNECTION(2)
  if (!take_string(env, args[1], name, sizeof name)) return NULL;
  return give_int32(env, SSL_set_tlsext_host_name(c->ssl, name) == 1 ? 0 : openssl_failed());
}

/* connection_set_verify(connection, mode: SSL_VERIFY_) */
static napi_value tls_connection_set_verify(napi_env env, napi_callback_info info) {
  int32_t mode;
  TAKE_CONNECTION(2)
  if (!take_int32(env, args[1], &mode)) return NULL;
  SSL_set_verify(c->ssl, mode, NULL);
  return give_int32(env, 0);
}

static napi_value tls_connection_set_verify_depth(napi_env env, napi_callback_info info) {
  int32_t depth;
  TAKE_CONNECTION(2)
  if (!take_int32(env, args[1], &depth)) return NULL;
  SSL_set_verify_depth(c->ssl, depth);
  return give_int32(env, 0);
}

/* connection_set_verify_host(connection, name or address): what the peer's certificate must be for */
static napi_value tls_connection_set_verify_host(napi_env env, napi_callback_info info) {
  char host[NAME_SIZE];
  uint8_t address[16];
  TAKE_CONNECTION(2)
  if (!take_string(env, args[1], host, sizeof host)) return NULL;
  X509_VERIFY_PARAM *param = SSL_get0_param(c->ssl);
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  int ok;
  if (inet_pton(AF_INET, host, address) == 1)
    ok = X509_VERIFY_PARAM_set1_ip(param, address, 4) && X509_VERIFY_PARAM_set1_host(param, NULL, 0);
  else if (inet_pton(AF_INET6, host, address) == 1)
    ok = X509_VERIFY_PARAM_set1_ip(param, address, 16) && X509_VERIFY_PARAM_set1_host(param, NULL, 0);
  else ok = X509_VERIFY_PARAM_set1_ip(param, NULL, 0) && X509_VERIFY_PARAM_set1_host(param, host, 0);
  return give_int32(env, ok ? 0 : openssl_failed());
}

static void finalize_session(napi_env env, void *data, void *hint) {
  struct session *s = data;
  (void)env;
  (void)hint;
  SSL_SESSION_free(s->session);
  free(s);
}

/* connection_get_session(connection) -> what a later connection can resume; 0: nothing yet */
static napi_value tls_connection_get_session(napi_env env, napi_callback_info info) {
  TAKE_CONNECTION(1)
  SSL_SESSION *session = SSL_get1_session(c->ssl);
  struct session *s = session && SSL_SESSION_is_resumable(session) ? calloc(1, sizeof *s) : NULL;
  if (!s) {
    SSL_SESSION_free(session);
    return give_int32(env, 0);
  }
  s->magic = SESSION_MAGIC;
  s->session = session;
  return give_external(env, s, finalize_session);
}

static napi_value tls_connection_set_session(napi_env env, napi_callback_info info) {
  struct session *s;
  TAKE_CONNECTION(2)
  if (!(s = take_external(env, args[1], SESSION_MAGIC))) return NULL;
  return give_int32(env, SSL_set_session(c->ssl, s->session) == 1 ? 0 : openssl_failed());
}

/* What a call of OpenSSL that gave `result` has come to: 0 at the end, -EAGAIN: no more to read yet */
static int32_t outcome(struct connection *c, int result) {
  int kind = SSL_get_error(c->ssl, result);
  if (kind == SSL_ERROR_WANT_READ) return -EAGAIN;
  if (kind == SSL_ERROR_ZERO_RETURN) return 0;
  c->failed_code = 0;
  c->failed_verify = 0;
  if (c->recv_error != 0) c->failed = -c->recv_error;
  else if (c->ended) c->failed = TRUNCATED;
  else {
    c->failed = FAILED;
    c->failed_code = (double)ERR_get_error();
    c->failed_verify = (double)SSL_get_verify_result(c->ssl);
  }
  ERR_clear_error();
  return c->failed;
}

/* The end of every call: send, and tell how things are. */
static napi_value finish(napi_env env, struct connection *c, int32_t result) {
  send_gathered(c);
  if (result < 0 && result == c->failed) {
    status[CODE] = c->failed_code;
    status[VERIFY] = c->failed_verify;
  }
  status[UNSENT] = (double)(c->out_end - c->out_start);
  status[DRAINED] = c->drained && !SSL_has_pending(c->ssl);
  return give_int32(env, result);
}

/* connection_handshake(connection, server: 0 or 1) -> 1, -EAGAIN: it waits for the peer, … What could not be
 * sent is told, since the peer waits for it; not of tickets, which a server sends behind its handshake. */
static napi_value tls_connection_handshake(napi_env env, napi_callback_info info) {
  int32_t server;
  TAKE_CONNECTION(2)
  if (!take_int32(env, args[1], &server)) return NULL;
  if (c->failed) return finish(env, c, c->failed);
  if (!c->begun) { /* again, it would forget what has been read of the peer's first message */
    c->begun = true;
    if (server) SSL_set_accept_state(c->ssl);
    else SSL_set_connect_state(c->ssl);
  }
  int result = SSL_do_handshake(c->ssl);
  if (result == 1) c->ready = true;
  int32_t what = result == 1 ? 1 : outcome(c, result);
  if (what == 0) what = c->failed = TRUNCATED; /* the peer has said good-bye in the middle */
  send_gathered(c);
  if (c->send_error && (what == -EAGAIN || (what == 1 && !server))) what = -c->send_error;
  return finish(env, c, what);
}

/* connection_read(connection, bytes, offset, length) -> bytes read, 0: the peer has closed */
static napi_value tls_connection_read(napi_env env, napi_callback_info info) {
  int32_t offset, length, done = 0;
  uint8_t *bytes;
  TAKE_CONNECTION(4)
  if (!take_int32(env, args[2], &offset) || !take_int32(env, args[3], &length) ||
      !take_bytes(env, args[1], offset, length, &bytes))
    return NULL;
  if (c->failed) return finish(env, c, c->failed);
  if (!c->ready) return finish(env, c, raise_failed(ERR_LIB_SSL, SSL_R_UNINITIALIZED));
  do {
    int n = SSL_read(c->ssl, bytes + done, length - done);
    if (n <= 0) {
      int32_t what = outcome(c, n);
      return finish(env, c, done > 0 ? done : what); /* an error stays for the next call */
    }
    done += n;
  } while (done < length && SSL_has_pending(c->ssl));
  return finish(env, c, done);
}

/* connection_write(connection, bytes, offset, length) -> bytes taken. Nothing may be unsent before;
 * afterwards status[UNSENT] may be > 0. */
static napi_value tls_connection_write(napi_env env, napi_callback_info info) {
  int32_t offset, length, done = 0;
  uint8_t *bytes;
  TAKE_CONNECTION(4)
  if (!take_int32(env, args[2], &offset) || !take_int32(env, args[3], &length) ||
      !take_bytes(env, args[1], offset, length, &bytes))
    return NULL;
  if (c->failed) return finish(env, c, c->failed);
  if (c->send_error) return finish(env, c, -c->send_error);
  if (!c->ready) return finish(env, c, raise_failed(ERR_LIB_SSL, SSL_R_UNINITIALIZED));
  if (SSL_get_shutdown(c->ssl) & SSL_SENT_SHUTDOWN)
    return finish(env, c, raise_failed(ERR_LIB_SSL, SSL_R_PROTOCOL_IS_SHUTDOWN));
  if (length > WRITE_AT_ONCE) length = WRITE_AT_ONCE;
  while (done < length && c->out_end == c->out_start && c->send_error == 0) {
    int n = SSL_write(c->ssl, bytes + done, length - done > RECORD ? RECORD : length - done);
    if (n <= 0) {
      int32_t what = outcome(c, n);
      if (done > 0) break; /* an error stays for the next call */
      if (what == -EAGAIN || what == 0) /* the peer has begun what it may not begin */
        what = c->failed = raise_failed(ERR_LIB_SSL, SSL_R_UNEXPECTED_MESSAGE);
      return finish(env, c, what);
    }
    done += n;
    if (gathered > GATHER - RECORD - 512) send_gathered(c);
  }
  send_gathered(c);
  return finish(env, c, c->send_error ? -c->send_error : done);
}

/* connection_flush(connection) -> 0: all is sent, -EAGAIN: not all */
static napi_value tls_connection_flush(napi_env env, napi_callback_info info) {
  TAKE_CONNECTION(1)
  while (c->out_end > c->out_start && c->send_error == 0) {
    ssize_t n = faulty_send(c->fd, c->out + c->out_start, c->out_end - c->out_start);
    if (n >= 0) c->out_start += (size_t)n;
    else if (errno == EAGAIN) return finish(env, c, -EAGAIN);
    else c->send_error = errno;
  }
  c->out_start = c->out_end = c->out_size = 0;
  free(c->out);
  c->out = NULL;
  return finish(env, c, -c->send_error);
}

/* connection_shutdown(connection): tell the peer that no more comes */
static napi_value tls_connection_shutdown(napi_env env, napi_callback_info info) {
  TAKE_CONNECTION(1)
  if (c->failed) return finish(env, c, c->failed);
  if (c->send_error) return finish(env, c, -c->send_error);
  if (!c->ready) return finish(env, c, raise_failed(ERR_LIB_SSL, SSL_R_UNINITIALIZED));
  int result = SSL_get_shutdown(c->ssl) & SSL_SENT_SHUTDOWN ? 1 : SSL_shutdown(c->ssl);
  int32_t what = result < 0 ? outcome(c, result) : 0;
  send_gathered(c);
  return finish(env, c, what < 0 ? what : -c->send_error);
}

/* connection_text(connection, what) -> string; undefined where there is none */
static napi_value tls_connection_text(napi_env env, napi_callback_info info) {
  int32_t what;
  const char *text = NULL;
  size_t length = NAPI_AUTO_LENGTH;
  unsigned char *der = NULL;
  napi_value value = NULL;
  TAKE_CONNECTION(2)
  if (!take_int32(env, args[1], &what)) return NULL;
  if (what == 0 && c->ready) text = SSL_get_version(c->ssl);
  else if (what == 1 && c->ready) text = SSL_CIPHER_get_name(SSL_get_current_cipher(c->ssl));
  else if (what == 2) {
    unsigned protocol_length = 0;
    SSL_get0_alpn_selected(c->ssl, (const unsigned char **)&text, &protocol_length);
    length = protocol_length;
  } else if (what == 3) text = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
  else if (what == 4) {
    X509 *certificate = SSL_get0_peer_certificate(c->ssl);
    int size = certificate ? i2d_X509(certificate, &der) : 0;
    if (size > 0) {
      text = (const char *)der;
      length = (size_t)size;
    }
  }
  ERR_clear_error();
  if (text) napi_create_string_latin1(env, text, length, &value);
  else napi_get_undefined(env, &value);
  OPENSSL_free(der);
  return value;
}

/* connection_resumed(connection) -> 0 or 1 */
static napi_value tls_connection_resumed(napi_env env, napi_callback_info info) {
  TAKE_CONNECTION(1)
  return give_int32(env, SSL_session_reused(c->ssl));
}

/* ── texts ── */

/* error_text(code: number) -> string */
static napi_value tls_error_text(napi_env env, napi_callback_info info) {
  napi_value args[1], value = NULL;
  double code;
  if (!take_args(env, info, args, 1) || napi_get_value_double(env, args[0], &code) != napi_ok)
    return NULL;
  bool known = code >= 0 && code <= 0xffffffff;
  const char *text = known ? ERR_reason_error_string((unsigned long)code) : NULL;
  napi_create_string_latin1(env, text ? text : "asio.ssl error", NAPI_AUTO_LENGTH, &value);
  return value;
}

/* verify_text(X509_V_: number) -> string */
static napi_value tls_verify_text(napi_env env, napi_callback_info info) {
  int32_t code;
  napi_value value = NULL;
  if (!take_int32s(env, info, &code, 1)) return NULL;
  napi_create_string_latin1(env, X509_verify_cert_error_string(code), NAPI_AUTO_LENGTH, &value);
  return value;
}

#define FUNCTIONS(X) \
  X(context_new) X(context_set_options) X(context_set_verify) X(context_set_verify_depth) \
  X(context_add_authorities) X(context_add_verify_path) X(context_set_default_verify_paths) \
  X(context_use_certificate) X(context_use_certificate_chain) X(context_use_private_key) \
  X(context_use_tmp_dh) X(context_set_alpn) X(context_add_server_name) \
  X(connection_new) X(connection_close) X(connection_set_server_name) X(connection_set_verify) \
  X(connection_set_verify_depth) X(connection_set_verify_host) X(connection_get_session) \
  X(connection_set_session) X(connection_handshake) X(connection_read) X(connection_write) \
  X(connection_flush) X(connection_shutdown) X(connection_text) X(connection_resumed) \
  X(error_text) X(verify_text)

#define ENTRY(name) {#name, tls_##name},
static const struct {
  const char *name;
  napi_callback call;
} functions[] = {FUNCTIONS(ENTRY)};

/* tls_open(status: Float64Array of four) -> the functions above; -ENOSYS: this Node exports no OpenSSL
 * of the version that the addon was built for. Once a thread. */
napi_value sys_tls_open(napi_env env, napi_callback_info info) {
  napi_value args[1], table, function;
  napi_typedarray_type type;
  size_t count = 0;
  void *data = NULL;
  if (!take_args(env, info, args, 1)) return NULL;
  if (napi_get_typedarray_info(env, args[0], &type, &count, &data, NULL, NULL) != napi_ok ||
      type != napi_float64_array || count < STATUS_FIELDS) {
    napi_throw_type_error(env, NULL, "perilune addon: a Float64Array was expected");
    return NULL;
  }
  if (!dlsym(RTLD_DEFAULT, "SSL_CTX_load_verify_dir") || !dlsym(RTLD_DEFAULT, "OPENSSL_version_major") ||
      OPENSSL_version_major() != OPENSSL_VERSION_MAJOR)
    return give_int32(env, -ENOSYS);
  pthread_once(&bio_once, make_bio_method);
  if (!bio_method) return give_int32(env, -ENOMEM);
  if (!gather && !(gather = malloc(GATHER))) return give_int32(env, -ENOMEM);
  if (napi_create_reference(env, args[0], 1, &status_ref) != napi_ok ||
      napi_create_object(env, &table) != napi_ok)
    return NULL;
  status = data;
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL,
                             &function) != napi_ok ||
        napi_set_named_property(env, table, functions[i].name, function) != napi_ok)
      return NULL;
  }
  return table;
}
