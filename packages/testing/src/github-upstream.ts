import { answerStubJson, demandHeader, jsonOf, type StubApi, startStubApi } from './stub-api.ts';

export interface GithubUpstreamOptions {
  /** `Authorization` must be `Bearer` and this token. */
  readonly token: string;
  /** How many issues each repository has. */
  readonly issues: number;
}

const REPOSITORY = /^\/repos\/([\w.-]+)\/([\w.-]+)(\/.*)?$/;

/** A server that speaks enough of the GitHub API for octokit: repositories, issues in pages with `Link`, blobs. */
export async function startGithubUpstream(options: GithubUpstreamOptions): Promise<StubApi> {
  const stub = await startStubApi({
    credentialFault: demandHeader('authorization', `Bearer ${options.token}`),
    handler: (request, response) => {
      const { pathname, searchParams } = new URL(request.url, stub.url);
      const [, owner, repository, below = ''] = REPOSITORY.exec(pathname) ?? [];
      if (repository === undefined || repository === 'none')
        return answerStubJson(response, 404, { message: 'Not Found', status: '404' });
      switch (`${request.method} ${below}`) {
        case 'GET ':
          return answerStubJson(response, 200, { id: 1, full_name: `${owner}/${repository}` });
        case 'GET /issues': {
          const page = Number(searchParams.get('page') ?? 1);
          const size = Number(searchParams.get('per_page') ?? 30);
          const link = linksOf(`${stub.url}${pathname}?per_page=${size}`, page, Math.ceil(options.issues / size));
          const numbers = Array.from({ length: options.issues }, (_, index) => index + 1);
          const items = numbers.slice((page - 1) * size, page * size).map((number) => ({ number }));
          return answerStubJson(response, 200, items, { link });
        }
        case 'POST /issues':
          return answerStubJson(response, 201, { number: options.issues + 1, title: jsonOf(request)?.title });
        case 'POST /git/blobs':
          return answerStubJson(response, 201, { sha: 'a'.repeat(40), url: `${stub.url}${pathname}/1` });
        default:
          return answerStubJson(response, 404, { message: 'Not Found', status: '404' });
      }
    },
  });
  return stub;
}

/** RFC 8288, as GitHub gives it: complete URLs of its own. */
function linksOf(url: string, page: number, last: number): string {
  const link = (rel: string, to: number) => `<${url}&page=${to}>; rel="${rel}"`;
  return [
    ...(page > 1 ? [link('prev', page - 1), link('first', 1)] : []),
    ...(page < last ? [link('next', page + 1), link('last', last)] : []),
  ].join(', ');
}
