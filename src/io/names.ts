/** What a look-up of names asks and answers, whoever does it: io/resolver.ts. */
import type { Family } from './address.ts';
import type { IpEndpoint } from './endpoint.ts';

/** Why a look-up failed: asio's names, or an errno. */
export type ResolveFailure =
  | 'host_not_found'
  | 'host_not_found_try_again'
  | 'no_recovery'
  | 'no_data'
  | 'service_not_found'
  | 'socket_type_not_supported'
  | number;

export type Resolved<T> = { readonly value: T } | { readonly failure: ResolveFailure };

export type Transport = 'tcp' | 'udp';

export interface Query {
  /** '': this machine */
  readonly host: string;
  /** a name, or a number in text */
  readonly service: string;
  /** 0: both */
  readonly family: Family | 0;
  readonly transport: Transport;
  /** AI_ of sys/resolver.ts */
  readonly flags: number;
}

export interface Found {
  /** in the resolver's order, at least one */
  readonly endpoints: readonly IpEndpoint[];
  /** the first name in the chain of aliases, when AI_CANONNAME asked for it */
  readonly canonicalName: string | undefined;
}

export interface Names {
  readonly host: string;
  readonly service: string;
}
