/** Errors of TLS: what OpenSSL says, and connections that were cut off. */
import { FAILED, lastFailure, TlsFailure } from '../../io/tls.ts';
import type { LuaError } from '../../runtime/error.ts';
import { categoryError, ErrorCategory, systemError } from '../../runtime/error-code.ts';
import type { Result } from '../../runtime/value.ts';
import { openTls, TRUNCATED } from '../../sys/tls.ts';

/** Codes are OpenSSL's. */
export const sslCategory = new ErrorCategory('asio.ssl', (code) => openTls().error_text(code));

export const STREAM_ERRORS = {
  stream_truncated: 1,
  unspecified_system_error: 2,
  unexpected_result: 3,
} as const;

const STREAM_MESSAGES: Readonly<Record<number, string>> = {
  1: 'stream truncated',
  2: 'unspecified system error',
  3: 'unexpected result',
};

export const sslStreamCategory = new ErrorCategory(
  'asio.ssl.stream',
  (code) => STREAM_MESSAGES[code] ?? 'asio.ssl.stream error',
);

/** OpenSSL packs errnos into its codes. ERR_SYSTEM_FLAG of openssl/err.h */
const SYSTEM_FLAG = 0x8000_0000;

function failureError({ code, verify }: TlsFailure): LuaError {
  if (code >= SYSTEM_FLAG) return systemError(code - SYSTEM_FLAG);
  if (code === 0) return categoryError(sslStreamCategory, STREAM_ERRORS.unexpected_result);
  if (verify === 0) return categoryError(sslCategory, code);
  return categoryError(sslCategory, code, { verify_error: openTls().verify_text(verify) });
}

/** The error of a negative result of TLS; undefined: it is an errno, or an interruption. */
export function tlsError(result: number, value: unknown): LuaError | undefined {
  if (result === TRUNCATED) return categoryError(sslStreamCategory, STREAM_ERRORS.stream_truncated);
  return result === FAILED && value instanceof TlsFailure ? failureError(value) : undefined;
}

/** The result of a call that is over when it returns. */
export function checked(result: number): Result {
  if (result === FAILED) throw failureError(lastFailure());
  if (result < 0) throw systemError(-result);
  return [];
}
