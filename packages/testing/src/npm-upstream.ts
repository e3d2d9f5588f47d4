import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { answerStubJson, demandHeader, type StubApi, startStubApi } from './stub-api.ts';

export interface NpmUpstreamOptions {
  /** `Authorization` must be `Bearer` and this token. */
  readonly token: string;
  /** Packages with their dependencies, all of version 1.0.0. */
  readonly packages: Readonly<Record<string, readonly string[]>>;
}

/** A registry of npm packages: their documents, with complete tarball URLs of its own, and the tarballs; `index.js` exports the name. */
export async function startNpmUpstream({ token, packages }: NpmUpstreamOptions): Promise<StubApi> {
  const stub = await startStubApi({
    credentialFault: demandHeader('authorization', `Bearer ${token}`),
    handler: (request, response) => {
      const pathname = decodeURIComponent(new URL(request.url, 'http://stub').pathname);
      const name = Object.keys(packages).find((each) => pathname === `/${each}` || pathname.startsWith(`/${each}/-/`));
      if (name === undefined) return answerStubJson(response, 404, { error: 'Not found' });
      const tarball = tarballOf(name, packages[name] ?? []);
      if (pathname !== `/${name}`) {
        const fields = { 'content-type': 'application/octet-stream', 'content-length': tarball.byteLength };
        return response.writeHead(200, fields).end(tarball);
      }
      const dist = {
        tarball: `${stub.url}/${name}/-/${fileOf(name)}`,
        integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
      };
      const version = { ...manifestOf(name, packages[name] ?? []), dist };
      return answerStubJson(response, 200, { name, 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': version } });
    },
  });
  return stub;
}

function fileOf(name: string): string {
  return `${name.slice(name.indexOf('/') + 1)}-1.0.0.tgz`;
}

function manifestOf(name: string, needed: readonly string[]): object {
  const dependencies = Object.fromEntries(needed.map((each) => [each, '1.0.0']));
  return { name, version: '1.0.0', main: 'index.js', dependencies };
}

function tarballOf(name: string, needed: readonly string[]): Buffer {
  const files = {
    'package/package.json': JSON.stringify(manifestOf(name, needed)),
    'package/index.js': `module.exports = ${JSON.stringify(name)};\n`,
  };
  const entries = Object.entries(files).flatMap(([file, text]) => tarEntry(file, Buffer.from(text)));
  return gzipSync(Buffer.concat([...entries, Buffer.alloc(TAR_BLOCK * 2)]));
}

const TAR_BLOCK = 512;

/** POSIX.1-1988, ustar: a header of one block, the content filled up to whole blocks. */
function tarEntry(file: string, content: Buffer): Buffer[] {
  const header = Buffer.alloc(TAR_BLOCK);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  header.write(file, 0);
  header.write(octal(0o644, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(content.byteLength, 11), 124);
  header.write(octal(1_767_225_600, 11), 136);
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return [header, content, Buffer.alloc((TAR_BLOCK - (content.byteLength % TAR_BLOCK)) % TAR_BLOCK)];
}
