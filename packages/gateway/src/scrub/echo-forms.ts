import { base64Value, EchoForm } from './echo-form.ts';

/** Every form of `echo` that answers are searched for. Text beyond ASCII is taken as UTF-8 and, where it fits, as Latin-1. */
export function formsOf(echo: string): EchoForm[] {
  // As `application/x-www-form-urlencoded` has it.
  const texts = echo.includes(' ') ? [echo, echo.replaceAll(' ', '+')] : [echo];
  const utf8 = Buffer.from(echo, 'utf8');
  const forms = [...texts.map(utf8Form), ...binaryForms(utf8)];
  if (utf8.length === echo.length || !IS_LATIN1.test(echo)) return forms;
  return [...forms, ...texts.map(latin1Form), ...binaryForms(Buffer.from(echo, 'latin1'))];
}

/** One byte a character: what a header value can carry. */
const IS_LATIN1 = /^[\u0000-\u00ff]*$/;

function binaryForms(bytes: Uint8Array): EchoForm[] {
  const base64 = [0, 1, 2].map((offset) => new EchoForm('base64', base64Units(bytes, offset)));
  return [new EchoForm('hex', hexUnits(bytes)), ...base64];
}

/** A character beyond the basic plane is two code units, each of which is given two of its four bytes. */
function utf8Form(text: string): EchoForm {
  const bytes = new TextEncoder().encode(text);
  const codeUnits = new Uint16Array(bytes.length);
  const codeUnitBytes = new Uint8Array(bytes.length);
  let at = 0;
  for (const character of text) {
    const codeUnitLength = Buffer.byteLength(character) / character.length;
    for (let i = 0; i < character.length; i += 1) {
      codeUnits[at] = character.charCodeAt(i);
      codeUnitBytes[at] = codeUnitLength;
      at += codeUnitLength;
    }
  }
  return new EchoForm('text', bytes, { codeUnits, codeUnitBytes });
}

function latin1Form(text: string): EchoForm {
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const codeUnitBytes = new Uint8Array(bytes.length).fill(1);
  return new EchoForm('text', bytes, { codeUnits: Uint16Array.from(bytes), codeUnitBytes });
}

function hexUnits(bytes: Uint8Array): Uint8Array {
  const units = new Uint8Array(bytes.length * 2);
  bytes.forEach((byte, index) => {
    units[2 * index] = byte >>> 4;
    units[2 * index + 1] = byte & 15;
  });
  return units;
}

/** The characters that `bytes` determines wholly when `offset` other bytes of a group of three stand before it. */
function base64Units(bytes: Uint8Array, offset: number): Uint8Array {
  const shifted = Buffer.alloc(offset + bytes.length);
  shifted.set(bytes, offset);
  const text = shifted.toString('base64');
  const first = Math.ceil((8 * offset) / 6);
  const units = new Uint8Array(Math.floor((8 * shifted.length) / 6) - first);
  for (let i = 0; i < units.length; i += 1) units[i] = base64Value(text.charCodeAt(first + i));
  return units;
}
