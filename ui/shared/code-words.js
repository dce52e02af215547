// The words that stand for the numbers of a comparison code (PROTOCOL.md, "Comparing keys"): in each language 256, short,
// known to everybody, and hard to mistake for each other when they are read aloud. docs/protocol/comparison.json has the
// same lists. Their order never changes.

/** @type {Record<'en' | 'ko', string[]>} */
export const CODE_WORDS = {
  en: `
  acorn actor alarm album almond amber anchor angel ankle apple apron arrow artist atlas autumn bacon
  badge baker balloon bamboo banana barrel basket beaver bedroom beetle bicycle biscuit blanket bonnet border bottle
  bracelet bridge bronze bubble bucket buffalo button cabin cactus camel candle captain carpet carrot castle cedar
  ceiling cellar cherry chicken chocolate cinema circle clover cobweb coconut coffee comet copper coral cotton cousin
  cradle cricket crystal cucumber curtain cushion cymbal daisy dancer daughter december dentist desert diamond dinner doctor
  dolphin domino dragon dustpan eagle elbow elephant emerald engine envelope evening falcon family farmer feather february
  fiddle finger flamingo flower football forest foxglove friday galaxy garden giraffe glacier goblet goldfish gorilla granite
  guitar hammer harbor helmet hockey holiday honey horizon hospital hunter iceberg igloo insect island ivory jacket
  jaguar january jelly jewel jigsaw journey juggler jungle kangaroo kernel kettle kingdom kitchen kiwi koala ladder
  lantern lavender lemon leopard lettuce library lizard lobster lollipop lullaby machine magnet mailbox mango maple marble
  meadow medal melon mermaid midnight mirror mitten monkey mosquito mountain muffin mushroom napkin necklace needle newspaper
  nickel notebook november nutmeg ocean octopus office olive onion orange orchard oyster paddle palace panda parsley
  pasta peanut pebble pelican penguin pepper piano picnic pigeon pillow pirate planet pocket pottery pumpkin puppet
  puzzle quarry quilt rabbit radio raincoat ribbon river robot salad sandal saturn school scissors seagull shadow
  shoulder silver spider spinach squirrel statue sugar summer sunday sweater table teapot teaspoon tiger toaster tomato
  tulip turtle umbrella uncle valley velvet village violin volcano waffle walnut window winter wizard yogurt zebra`.trim().split(/\s+/),
  ko: `
  가로등 가방 가수 가위 가을 가지 간장 갈매기 감자 강물 강아지 개구리 개미 거북이 거울 건전지
  경찰서 계단 고구마 고래 고무신 고슴도치 고양이 고추 곰돌이 공책 과자 광장 교실 구두 구름 국수
  군밤 굴뚝 귀걸이 그네 그림자 금붕어 기러기 기린 기차 김밥 까마귀 까치 꽃다발 꿀벌 나무 나비
  나침반 낙엽 낙타 난로 날개 냄비 너구리 노랫말 노을 농구공 농부 눈사람 느티나무 다람쥐 다리미 단추
  단풍 달걀 달팽이 당근 대나무 대문 도끼 도마뱀 도토리 독수리 돌고래 동생 동전 두부 둥지 뒤뜰
  들판 등대 딸기 떡국 라디오 라면 레몬 로봇 리본 마당 마라톤 마술사 만두 만화 망치 매화꽃
  머리띠 메뚜기 메아리 모래밭 모자 목걸이 목도리 무지개 문어 물감 물레방아 미역 민들레 바다 바람개비 바이올린
  박쥐 반딧불 반지 발자국 밤송이 방석 배낭 배추 버섯 버스 번개 벌집 베개 벼루 벽돌 별자리
  병아리 보름달 보물섬 복숭아 봄비 부엌 부채 북극곰 분수 붓꽃 비누 비둘기 비행기 빗자루 빨대 사과
  사다리 사막 사슴 사자 산골 살구 새벽 색연필 색종이 생선 서랍 석류 선물 설탕 섬마을 세수
  소나기 소나무 소라 손수건 솜사탕 송아지 수건 수박 수첩 숟가락 숲길 시계 시장 식혜 신발 실타래
  썰매 씨앗 아기 안개 안경 앵두 야구 약국 양말 양파 어깨 얼음 여름 여우 연못 연필
  열쇠 염소 엽서 영화 오리 오징어 옥수수 온돌 옷장 완두콩 외투 요리사 우물 우산 우유 운동장
  원숭이 유리병 은행 의자 이불 이슬 인형 일기 잉어 자두 자전거 잔디 잠자리 장갑 장화 저녁놀
  전등 접시 젓가락 조개 종이 주머니 주전자 지갑 지도 진달래 찐빵 차표 참새 창문 책상 천둥
  철쭉 청포도 초가집 초콜릿 촛불 축구 치마 칠판 카메라 칼국수 코끼리 콩나물 크레용 타조 탁자 태양`.trim().split(/\s+/),
};
