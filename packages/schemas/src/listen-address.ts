import { z } from 'zod';

/** Where a listener binds. Port 0: any free one. */
export interface ListenAddress {
  /** An IP address, IPv6 without brackets. */
  readonly address: string;
  readonly port: number;
}

const FORM = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([^:[\]]+)):([0-9]{1,5})$/;

/** `127.0.0.1:8101`, `[::1]:0`, `localhost:8101` (which is 127.0.0.1); undefined for everything else. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = FORM.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return undefined;
  if (match[1] !== undefined) return isIpv6(match[1]) ? { address: match[1], port } : undefined;
  const host = match[2] === 'localhost' ? '127.0.0.1' : (match[2] ?? '');
  return IPV4.test(host) ? { address: host, port } : undefined;
}

/** The reverse: IPv6 in brackets. */
export function formatListenAddress({ address, port }: ListenAddress): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

export const listenAddressSchema = z
  .string()
  .refine(
    (text) => parseListenAddress(text) !== undefined,
    'must be an IP address with a port, such as 127.0.0.1:8101 or [::1]:0',
  );

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)$/;

function isIpv6(text: string): boolean {
  // The URL parser knows what an IPv6 address is; this package imports no other.
  return text.includes(':') && URL.canParse(`http://[${text}]/`);
}
