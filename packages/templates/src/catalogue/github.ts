import type { TemplateInput } from '@postern/schemas';
import { READ, WRITE } from './methods.ts';

const REPO = '/repos/{owner}/{repo}';
/** The same repository by number: links of paginated answers lead there. */
const BY_NUMBER = '/repositories/{id}';

/** Reads by either address. Writes by number are `other.write`. */
function inRepo(...paths: string[]): string[] {
  return [REPO, BY_NUMBER].flatMap((repo) => paths.map((path) => `${repo}/${path}`));
}

function writesIn(...paths: string[]): string[] {
  return paths.map((path) => `${REPO}/${path}`);
}

export const github: TemplateInput = {
  name: 'github',
  version: 1,
  provider: 'github',
  title: 'GitHub REST API',
  description:
    'github.com; Enterprise Server has its paths below /api/v3. A path cannot tell what is committed: clients write %2F into file ' +
    'paths, and trees and refs change any file, so rule on .github/workflows with a condition. A secondary limit without Retry-After ' +
    'is a plain 403.',
  sources: [
    'https://docs.github.com/en/rest',
    'https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api',
    'https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api',
    'https://docs.github.com/en/rest/repos/repos',
    'https://docs.github.com/en/rest/branches/branch-protection',
    'https://docs.github.com/en/rest/actions/secrets',
  ],
  baseUrl: 'https://api.github.com',
  hosts: ['api.github.com', 'uploads.github.com'],
  credential: {
    type: 'bearer',
    hint: 'A fine-grained personal access token for the repositories in question; for an app use type github_app',
  },
  actions: [
    {
      name: 'meta.read',
      methods: READ,
      paths: ['/', '/meta', '/rate_limit', '/versions', '/emojis', '/licenses/**', '/gitignore/templates/**'],
      risk: 'low',
    },
    {
      name: 'users.read',
      methods: READ,
      paths: [
        '/user',
        '/user/orgs',
        '/user/repos',
        '/user/{id}/repos',
        '/users/{username}',
        '/users/{username}/orgs',
        '/users/{username}/repos',
      ],
      risk: 'low',
    },
    { name: 'search.read', methods: READ, paths: ['/search/**'], risk: 'low' },
    {
      name: 'repos.read',
      methods: READ,
      paths: [
        REPO,
        BY_NUMBER,
        '/orgs/{org}',
        '/orgs/{org}/repos',
        '/organizations/{id}/repos',
        ...inRepo('languages', 'topics', 'tags', 'contributors', 'forks', 'license', 'assignees/**', 'branches/**'),
        ...inRepo('rules/branches/**', 'rulesets/**', 'events', 'activity', 'deployments/**', 'environments'),
      ],
      risk: 'low',
    },
    {
      name: 'contents.read',
      methods: READ,
      paths: inRepo('contents/**', 'readme/**', 'git/**', 'commits/**', 'compare/**', 'tarball/**', 'zipball/**'),
      risk: 'low',
    },
    {
      name: 'contents.write',
      methods: ['PUT', 'DELETE'],
      paths: writesIn('contents/**'),
      risk: 'medium',
    },
    {
      name: 'git.write',
      methods: ['POST'],
      paths: writesIn('git/blobs', 'git/trees', 'git/commits', 'git/tags', 'git/refs'),
      risk: 'medium',
    },
    // Forced pushes, and deleted branches and tags.
    { name: 'refs.update', methods: ['PATCH', 'DELETE'], paths: writesIn('git/refs/**'), risk: 'high' },
    {
      name: 'issues.read',
      methods: READ,
      paths: ['/issues', '/user/issues', '/orgs/{org}/issues', ...inRepo('issues/**', 'labels/**', 'milestones/**')],
      risk: 'low',
    },
    {
      name: 'issues.write',
      methods: ['POST', 'PUT', 'PATCH'],
      paths: writesIn('issues/**', 'labels/**', 'milestones/**'),
      risk: 'medium',
    },
    {
      name: 'issues.delete',
      methods: ['DELETE'],
      paths: writesIn('issues/**', 'labels/**', 'milestones/**'),
      risk: 'medium',
    },
    { name: 'pulls.read', methods: READ, paths: inRepo('pulls/**'), risk: 'low' },
    {
      name: 'pulls.write',
      methods: WRITE,
      paths: writesIn(
        'pulls',
        'pulls/{number}',
        'pulls/{number}/comments/**',
        'pulls/{number}/requested_reviewers',
        'pulls/{number}/update-branch',
        'pulls/comments/**',
      ),
      risk: 'medium',
    },
    // An approving review counts for the protection of a branch.
    {
      name: 'pulls.review',
      methods: ['POST', 'PUT', 'DELETE'],
      paths: writesIn('pulls/{number}/reviews/**'),
      risk: 'high',
    },
    {
      name: 'pulls.merge',
      methods: ['PUT', 'POST'],
      paths: writesIn('pulls/{number}/merge', 'merges', 'merge-upstream'),
      risk: 'high',
    },
    // A status or a check can be what a protected branch waits for.
    {
      name: 'checks.write',
      methods: ['POST', 'PATCH'],
      paths: writesIn('statuses/{sha}', 'check-runs/**', 'check-suites/**'),
      risk: 'high',
    },
    {
      name: 'actions.read',
      methods: READ,
      paths: inRepo(
        'actions/runs/**',
        'actions/jobs/**',
        'actions/workflows/**',
        'actions/artifacts/**',
        'check-runs/**',
      ),
      risk: 'low',
    },
    {
      name: 'actions.rerun',
      methods: ['POST'],
      paths: writesIn(
        'actions/runs/{run}/rerun',
        'actions/runs/{run}/rerun-failed-jobs',
        'actions/runs/{run}/cancel',
        'actions/jobs/{job}/rerun',
      ),
      risk: 'medium',
    },
    {
      name: 'actions.dispatch',
      methods: ['POST'],
      paths: writesIn('actions/workflows/{workflow}/dispatches', 'dispatches'),
      risk: 'high',
    },
    {
      name: 'deployments.approve',
      methods: ['POST'],
      paths: writesIn(
        'actions/runs/{run}/approve',
        'actions/runs/{run}/pending_deployments',
        'actions/runs/{run}/deployment_protection_rule',
      ),
      risk: 'high',
      approval: 'required',
    },
    { name: 'releases.read', methods: READ, paths: inRepo('releases/**'), risk: 'low' },
    { name: 'releases.write', methods: ['POST', 'PATCH'], paths: writesIn('releases/**'), risk: 'high' },
    {
      name: 'releases.delete',
      methods: ['DELETE'],
      paths: writesIn('releases/**'),
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'secrets.write',
      methods: WRITE,
      paths: [
        ...writesIn('actions/secrets/**', 'actions/variables/**', 'dependabot/secrets/**', 'keys/**'),
        ...writesIn('environments/{environment}/secrets/**', 'environments/{environment}/variables/**'),
        '/orgs/{org}/actions/secrets/**',
        '/orgs/{org}/actions/variables/**',
        '/user/keys/**',
        '/user/gpg_keys/**',
        '/user/ssh_signing_keys/**',
      ],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'branches.protect',
      methods: WRITE,
      // A branch's name may have slashes.
      paths: [...writesIn('branches/**', 'rulesets/**'), '/orgs/{org}/rulesets/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'webhooks.write',
      methods: WRITE,
      paths: [...writesIn('hooks/**'), '/orgs/{org}/hooks/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'access.write',
      methods: WRITE,
      paths: [
        ...writesIn('collaborators/**', 'invitations/**'),
        '/orgs/{org}/invitations/**',
        '/orgs/{org}/members/**',
        '/orgs/{org}/memberships/**',
        '/orgs/{org}/outside_collaborators/**',
        '/orgs/{org}/teams/**',
      ],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'repos.create',
      methods: ['POST'],
      paths: ['/user/repos', '/orgs/{org}/repos', ...writesIn('forks', 'generate')],
      risk: 'high',
    },
    // Visibility, default branch, archiving.
    { name: 'repos.settings', methods: ['PATCH'], paths: [REPO, `${REPO}/`], risk: 'high', approval: 'required' },
    { name: 'repos.transfer', methods: ['POST'], paths: writesIn('transfer/**'), risk: 'high', approval: 'required' },
    { name: 'repos.delete', methods: ['DELETE'], paths: [REPO, `${REPO}/`], risk: 'high', approval: 'required' },
    // Whoever has the address of a gist can read it.
    { name: 'gists.write', methods: WRITE, paths: ['/gists/**'], risk: 'high' },
    { name: 'graphql', methods: ['POST'], paths: ['/graphql'], risk: 'high' },
    { name: 'other.write', methods: WRITE, paths: ['/**'], risk: 'high', approval: 'required' },
  ],
  limitSignals: [
    // The primary limit.
    {
      statuses: [403, 429],
      when: { header: 'x-ratelimit-remaining', equals: '0' },
      wait: { header: 'x-ratelimit-reset', as: 'epoch-seconds' },
    },
    // Secondary limits.
    { statuses: [403, 429], wait: { header: 'retry-after', as: 'retry-after' } },
  ],
};
