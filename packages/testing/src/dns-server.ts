import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import dnsPacket, { type Answer } from 'dns-packet';

/** What a name has. A name with records but none of the asked type is answered with none (NODATA). */
export interface DnsRecords {
  readonly A?: readonly string[];
  readonly AAAA?: readonly string[];
  readonly CNAME?: string;
  /** Default 0. */
  readonly ttlSeconds?: number;
  /** Answers only after this many milliseconds of real time. */
  readonly delayMs?: number;
}

/** Records, or a fault: no such name, server failure, refusal, an answer cut short, no answer at all. */
export type DnsAnswer = DnsRecords | 'nxdomain' | 'servfail' | 'refused' | 'truncated' | 'drop';

export interface DnsQuery {
  /** Lower case, without the dot at the end. */
  readonly name: string;
  readonly type: string;
}

/** The answer of each name (lower case); a function is asked anew with the number of earlier queries of that name and type. */
export type DnsZone = Readonly<Record<string, DnsAnswer | ((query: DnsQuery, earlier: number) => DnsAnswer)>>;

export interface DnsServer extends AsyncDisposable {
  /** `127.0.0.1:PORT`, as `POSTERN_DNS_SERVERS` and `Resolver.setServers` take it. */
  readonly address: string;
  readonly port: number;
  /** Every query since the start, in order of arrival, dropped ones too. */
  readonly queries: readonly DnsQuery[];
  /** Queries of `name`, of `type` or of any. */
  count(name: string, type?: string): number;
  /** Changes the answer of one name from now on. */
  answer(name: string, answer: DnsZone[string]): void;
  /** Frees the port; late answers are dropped. May be called twice. */
  close(): Promise<void>;
}

const RCODES = { nxdomain: 3, servfail: 2, refused: 5 } as const; // RFC 1035, section 4.1.1
const AUTHORITATIVE_ANSWER = 1 << 10; // RFC 1035, section 4.1.1
const TRUNCATED = 1 << 9;

/** A DNS server over UDP. Names that the zone lacks do not exist. CNAMEs are followed inside the zone. */
export async function startDnsServer(zone: DnsZone = {}): Promise<DnsServer> {
  const answers = new Map(Object.entries(zone));
  const queries: DnsQuery[] = [];
  const delayed = new Set<NodeJS.Timeout>();
  const socket = createSocket('udp4');
  let closed = false;

  const count = (name: string, type?: string) =>
    queries.filter((query) => query.name === name.toLowerCase() && (type === undefined || query.type === type)).length;

  function lookUp(query: DnsQuery, earlier: number): DnsAnswer {
    const entry = answers.get(query.name) ?? 'nxdomain';
    return typeof entry === 'function' ? entry(query, earlier) : entry;
  }

  function reply(packet: Uint8Array, client: RemoteInfo): void {
    if (!closed) socket.send(packet, client.port, client.address);
  }

  socket.on('message', (message, client) => {
    const packet = decodeQuery(message);
    const question = packet?.questions?.[0];
    if (packet === undefined || question === undefined) return;
    const query: DnsQuery = { name: question.name.toLowerCase(), type: question.type };
    const earlier = count(query.name, query.type);
    queries.push(query);
    const answer = lookUp(query, earlier);
    if (answer === 'drop') return;
    const delayMs = typeof answer === 'string' ? 0 : (answer.delayMs ?? 0);
    const encoded = encodeAnswer({
      id: packet.id ?? 0,
      question,
      answer,
      follow: (name) => lookUp({ ...query, name }, earlier),
    });
    if (delayMs === 0) return reply(encoded, client);
    const timer = setTimeout(() => {
      delayed.delete(timer);
      reply(encoded, client);
    }, delayMs);
    delayed.add(timer);
  });

  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();

  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    for (const timer of delayed) clearTimeout(timer);
    const ended = once(socket, 'close');
    socket.close();
    await ended;
  }

  return {
    address: `127.0.0.1:${port}`,
    port,
    queries,
    count,
    answer: (name, answer) => void answers.set(name.toLowerCase(), answer),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function decodeQuery(message: Buffer): dnsPacket.DecodedPacket | undefined {
  try {
    return dnsPacket.decode(message);
  } catch {
    return undefined; // Noise on the port is no query.
  }
}

interface Reply {
  readonly id: number;
  readonly question: dnsPacket.Question;
  readonly answer: DnsRecords | Exclude<DnsAnswer, DnsRecords | 'drop'>;
  readonly follow: (name: string) => DnsAnswer;
}

function encodeAnswer({ id, question, answer, follow }: Reply): Uint8Array {
  const base = { type: 'response' as const, id, questions: [question] };
  if (answer === 'truncated') return dnsPacket.encode({ ...base, flags: AUTHORITATIVE_ANSWER | TRUNCATED });
  if (typeof answer === 'string') return dnsPacket.encode({ ...base, flags: AUTHORITATIVE_ANSWER | RCODES[answer] });
  const answers = recordsFor({ name: question.name, type: question.type, records: answer, follow, depth: 0 });
  return dnsPacket.encode({ ...base, flags: AUTHORITATIVE_ANSWER, answers });
}

interface Chain {
  readonly name: string;
  readonly type: string;
  readonly records: DnsRecords;
  readonly follow: (name: string) => DnsAnswer;
  readonly depth: number;
}

function recordsFor({ name, type, records, follow, depth }: Chain): Answer[] {
  const ttl = records.ttlSeconds ?? 0;
  if (records.CNAME !== undefined) {
    const alias: Answer = { type: 'CNAME', name, ttl, data: records.CNAME };
    const target = depth < 8 ? follow(records.CNAME.toLowerCase()) : 'nxdomain';
    if (typeof target === 'string') return [alias];
    return [alias, ...recordsFor({ name: records.CNAME, type, records: target, follow, depth: depth + 1 })];
  }
  if (type === 'A') return (records.A ?? []).map((data) => ({ type: 'A', name, ttl, data }));
  if (type === 'AAAA') return (records.AAAA ?? []).map((data) => ({ type: 'AAAA', name, ttl, data }));
  return [];
}
