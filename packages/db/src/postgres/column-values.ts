import { DbError } from '../ports/db-error.ts';

/** Object ids of types (pg_type.dat); 0: the server infers the type from where the parameter stands. */
const [INFERRED, BYTEA, INT8, FLOAT8] = [0, 17, 20, 701];
const [BOOL, INT2, INT4, OID, FLOAT4] = [16, 21, 23, 26, 700];

export interface Parameter {
  readonly type: number;
  readonly value: string | Buffer | null;
}

/** Fails `invalid` for what no column holds. Numbers say what they are: inferred, they would be too short for a time. */
export function toParameter(value: unknown): Parameter {
  switch (typeof value) {
    case 'string':
      return { type: INFERRED, value };
    case 'number':
      if (!Number.isFinite(value)) break;
      return { type: Number.isInteger(value) ? INT8 : FLOAT8, value: String(value) };
    case 'bigint':
      return { type: INT8, value: String(value) };
    case 'boolean':
      // As the other engine has them: 0 and 1, which booleans of PostgreSQL take for an answer as well.
      return { type: INFERRED, value: value ? '1' : '0' };
    case 'undefined':
      return { type: INFERRED, value: null };
    case 'object':
      if (value === null) return { type: INFERRED, value: null };
      if (value instanceof Uint8Array) return { type: BYTEA, value: toBuffer(value) };
      break;
    default:
      break;
  }
  throw new DbError('invalid', `PostgreSQL: a parameter of type ${typeof value} is none that a column holds`);
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads a column in its text form. JSON stays text: `json-column.ts` reads it, for both engines. */
export function readerOf(type: number): (text: string) => unknown {
  switch (type) {
    case INT8:
      return readInteger;
    case INT2:
    case INT4:
    case OID:
    case FLOAT4:
    case FLOAT8:
      return Number;
    case BOOL:
      return (text) => text === 't';
    case BYTEA:
      return readBytes;
    default:
      return (text) => text;
  }
}

function readInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new DbError('invalid', 'PostgreSQL: a stored number is greater than 2^53');
  return value;
}

/** `\x` and two hexadecimal digits for each byte, which is the server's form since `bytea_output` is set so. */
function readBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.slice(2), 'hex'));
}
