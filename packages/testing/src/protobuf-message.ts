/** One protobuf message, read by field number: <https://protobuf.dev/programming-guides/encoding/>. Absent fields read as zero or empty. */
export interface Message {
  has(field: number): boolean;
  text(field: number): string;
  hex(field: number): string;
  /** A varint, fixed32 or fixed64, unsigned. */
  integer(field: number): bigint;
  double(field: number): number;
  message(field: number): Message | undefined;
  messages(field: number): readonly Message[];
  /** Packed. */
  fixed64s(field: number): readonly bigint[];
  /** Packed. */
  doubles(field: number): readonly number[];
}

/** @throws Error for what is no message. */
export function readMessage(bytes: Uint8Array): Message {
  const fields = readFields(bytes);
  const last = (field: number) => fields.get(field)?.at(-1);
  const bytesOf = (field: number): Uint8Array => {
    const value = last(field) ?? new Uint8Array();
    if (!(value instanceof Uint8Array)) throw new Error(`field ${field} holds a number`);
    return value;
  };
  const integer = (field: number): bigint => {
    const value = last(field) ?? 0n;
    if (typeof value !== 'bigint') throw new Error(`field ${field} holds bytes`);
    return value;
  };
  const messages = (field: number) =>
    (fields.get(field) ?? []).map((value) => {
      if (!(value instanceof Uint8Array)) throw new Error(`field ${field} holds no message`);
      return readMessage(value);
    });
  return {
    has: (field) => fields.has(field),
    text: (field) => new TextDecoder('utf-8', { fatal: true }).decode(bytesOf(field)),
    hex: (field) => Buffer.from(bytesOf(field)).toString('hex'),
    integer,
    double: (field) => toDouble(integer(field)),
    message: (field) => messages(field).at(-1),
    messages,
    fixed64s: (field) => packed(bytesOf(field)),
    doubles: (field) => packed(bytesOf(field)).map(toDouble),
  };
}

type Value = bigint | Uint8Array;

function readFields(bytes: Uint8Array): Map<number, Value[]> {
  const fields = new Map<number, Value[]>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = view.getUint8(at);
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const read = (type: number): Value => {
    switch (type) {
      case 0:
        return varint();
      case 1:
        at += 8;
        return view.getBigUint64(at - 8, true);
      case 2: {
        const length = Number(varint());
        if (at + length > bytes.byteLength) throw new Error('a field is longer than its message');
        at += length;
        return bytes.subarray(at - length, at);
      }
      case 5:
        at += 4;
        return BigInt(view.getUint32(at - 4, true));
      default:
        throw new Error(`wire type ${type} is not known`);
    }
  };
  while (at < bytes.byteLength) {
    const tag = Number(varint());
    const values = fields.get(tag >> 3) ?? [];
    values.push(read(tag & 7));
    fields.set(tag >> 3, values);
  }
  return fields;
}

function packed(bytes: Uint8Array): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.byteLength / 8 }, (_, index) => view.getBigUint64(index * 8, true));
}

function toDouble(bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}
