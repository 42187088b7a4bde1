import t from 'tap'
import { matchesGolden } from '../../../test/support/golden.ts'
import { framesScript } from './frames.ts'

t.test('framesScript() drops frames that are tagged without being of a VLAN', async t => {
  matchesGolden(t, 'policy-frames.nft', framesScript())
})
