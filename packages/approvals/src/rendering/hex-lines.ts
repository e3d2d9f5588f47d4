const BYTES_A_LINE = 16;

/** Sixteen bytes a line: `00000010  68 65 6c 6c 6f …  hello`. What is no printable ASCII is a full stop on the right. */
export function hexLines(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += BYTES_A_LINE) {
    const row = [...bytes.subarray(at, at + BYTES_A_LINE)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const ascii = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(BYTES_A_LINE * 3 - 1)}  ${ascii}`);
  }
  return lines.join('\n');
}
